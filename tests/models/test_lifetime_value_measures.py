"""Every measure against a value worked out by hand, by brute force or by scikit-learn.

Add here a test with each new measure. What is measured in a backtest is tested in
`test_lifetime_value_backtest`.
"""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from models_py.lifetime_value import measures

FORECAST = np.array([1.0, 2.0, 3.0, 4.0])
ACTUAL = np.array([0.0, 1.0, 1.0, 6.0])


def test_errors_of_four_customers_by_hand():
    found = measures.errors(FORECAST, ACTUAL)
    assert found["bias"] == pytest.approx(10 / 8 - 1)
    assert found["mae"] == pytest.approx((1 + 1 + 2 + 2) / 4)
    assert found["rmse"] == pytest.approx(np.sqrt((1 + 1 + 4 + 4) / 4))
    # Deviations (-1.5, -.5, .5, 1.5) and (-2, -1, -1, 4): covariance 9, variances 5 and 22.
    assert found["correlation"] == pytest.approx(9 / np.sqrt(5 * 22))
    # Ranks (1, 2, 3, 4) and (1, 2.5, 2.5, 4): 4.5 over the root of 5 x 4.5.
    assert found["spearman"] == pytest.approx(4.5 / np.sqrt(5 * 4.5))
    # One customer a decile, the first without outcome: |2-1|/1, |3-1|/1, |4-6|/6.
    assert found["decile_mape"] == pytest.approx((1 + 2 + 1 / 3) / 3)
    assert found["normalised_gini"] == pytest.approx(1.0)


def test_what_is_undefined_is_left_out():
    assert set(measures.errors(np.zeros(4), ACTUAL)) == {"mae", "rmse", "bias", "decile_mape"}
    assert set(measures.errors(FORECAST, np.zeros(4))) == {"mae", "rmse"}


def test_gini_by_hand_for_a_reversed_a_shuffled_and_a_blind_ranking():
    # Shares in order of the forecast 6, 1, 1, 0: cumulative 6/8, 7/8, 1, 1 against 0, 1/8, 2/8, 1.
    assert measures.normalised_gini(-FORECAST, ACTUAL) == pytest.approx(-1.0)
    shuffled = np.array([2.0, 1.0, 3.0, 4.0])  # outcomes in order 1, 0, 1, 6
    area = 1 - (2 * (1 / 8 + 1 / 8 + 2 / 8 + 1) - 1) / 4
    best = 1 - (2 * (0 + 1 / 8 + 2 / 8 + 1) - 1) / 4
    assert measures.normalised_gini(shuffled, ACTUAL) == pytest.approx(area / best)
    assert measures.normalised_gini(np.ones(4), ACTUAL) == pytest.approx(0.0)


def test_ties_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(1)
    forecast, actual = rng.integers(0, 3, 60).astype(float), rng.gamma(1, 1, 60)
    order = rng.permutation(60)
    for measure in (measures.decile_mape, measures.normalised_gini):
        assert measure(forecast[order], actual[order]) == pytest.approx(measure(forecast, actual))


def test_deciles_are_equal_parts_in_order_of_the_forecast():
    table = measures.deciles(np.arange(20.0), np.arange(20.0) * 2)
    assert list(table["customers_count"]) == [2] * 10
    assert list(table["forecast"]) == [0.5 + 2 * k for k in range(10)]
    assert list(table["actual"]) == [1.0 + 4 * k for k in range(10)]


def test_tracking_leaves_out_weeks_before_the_first_purchase():
    forecast, actual = np.array([1.0, 3.0, 6.0]), np.array([0.0, 2.0, 8.0])
    assert measures.tracking_mape(forecast, actual) == pytest.approx((0.5 + 0.25) / 2)


def test_crps_is_the_mean_over_all_pairs_and_the_integral_of_the_squared_distance():
    rng = np.random.default_rng(2)
    draws, actual = rng.poisson(2.0, (5, 40)).astype(float), np.array([0.0, 1.0, 2.0, 7.0, 3.5])
    found = measures.crps(draws, actual)
    for i in range(5):
        pairs = np.abs(draws[i][:, None] - draws[i][None, :]).mean()
        assert found[i] == pytest.approx(np.abs(draws[i] - actual[i]).mean() - pairs / 2)
        grid = np.arange(-1.0, 20.0, 0.001)
        cdf = (draws[i][None, :] <= grid[:, None]).mean(axis=1)
        integral = np.sum((cdf - (grid >= actual[i])) ** 2) * 0.001
        assert found[i] == pytest.approx(integral, abs=0.005)
    assert measures.crps(np.array([[3.0]]), np.array([5.0]))[0] == 2.0


def test_pit_counts_draws_below_and_shares_those_equal():
    draws = np.array([[0.0, 0.0, 1.0, 3.0]])
    assert measures.randomised_pit(draws, np.array([0.0]), np.array([0.5]))[0] == 1.5 / 5
    assert measures.randomised_pit(draws, np.array([2.0]), np.array([0.5]))[0] == 3.5 / 5


def test_pit_distance_and_share_by_hand():
    assert measures.pit_distance(np.array([0.1, 0.2, 0.9])) == pytest.approx(2 / 3 - 0.2)
    assert measures.pit_distance((np.arange(100) + 0.5) / 100) == pytest.approx(0.005)
    assert measures.pit_share(np.array([0.04, 0.06, 0.5, 0.96]), 0.9) == 0.5


def test_quantile_is_an_order_statistic():
    draws = np.array([[4.0, 1.0, 3.0, 2.0]])
    levels = (0.0, 0.25, 0.3, 0.5, 1.0)
    assert [measures.quantile(draws, level)[0] for level in levels] == [1, 1, 2, 2, 4]


def test_churn_measures_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    probability = rng.integers(0, 20, 500) / 20
    happened = (rng.random(500) < probability).astype(float)
    assert measures.auc(probability, happened) == pytest.approx(
        roc_auc_score(happened, probability)
    )
    assert measures.brier(probability, happened) == pytest.approx(
        brier_score_loss(happened, probability)
    )
    assert np.isnan(measures.auc(probability, np.zeros(500)))


def test_reliability_holds_mean_probability_against_share():
    probability = np.repeat([0.1, 0.9], 10)
    happened = np.concatenate([np.zeros(9), [1.0], np.ones(8), np.zeros(2)])
    table = measures.reliability(probability, happened, parts=2)
    assert list(table["probability"]) == pytest.approx([0.1, 0.9])
    assert list(table["share"]) == pytest.approx([0.1, 0.8])
    assert measures.calibration_error(table) == pytest.approx(0.05)


def test_bootstrap_spread_is_that_of_a_mean_and_origins_widen_it():
    rng = np.random.default_rng(4)
    one = rng.normal(0.2, 1.0, (400, 1))
    mean, drawn = measures.better_by([one], random_state=5)
    assert mean[0] == pytest.approx(one.mean())
    assert drawn.std() == pytest.approx(one.std() / 20, rel=0.1)
    far = [one, one + 3.0]
    mean, drawn = measures.better_by(far, random_state=5)
    assert mean[0] == pytest.approx(one.mean() + 1.5)
    # Two origins 3 apart: the mean of two draws of them has a standard deviation of 1.06.
    assert drawn.std() == pytest.approx(1.5 / np.sqrt(2), rel=0.1)


def test_an_origin_drawn_twice_counts_twice():
    # Means 0, 0 and 3: three draws with replacement have a standard deviation of sqrt(2 / 3).
    origins = [np.zeros((50, 1)), np.zeros((50, 1)), np.full((50, 1), 3.0)]
    _, drawn = measures.better_by(origins, random_state=6)
    assert drawn.std() == pytest.approx(np.sqrt(2 / 3), rel=0.06)
    assert set(np.unique(drawn.round(6))) == {0.0, 1.0, 2.0, 3.0}
