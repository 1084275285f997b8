"""Baselines against values worked out by hand, simulated truth and brute force.

Add here a test with each baseline. How models fare beside them is tested in
`test_lifetime_value_backtest`.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from models_py.lifetime_value import measures
from models_py.lifetime_value.baselines import GradientBoosting, NegativeBinomial, naive_forecasts

BATCH = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c"],
        "repeat_purchase_days_count": [4, 0, 2],
        "active_span_days": [60, 0, 20],
        "tenure_days": [70, 70, 140],
        "first_purchase_amount": [10.0, 20.0, 30.0],
        "repeat_purchase_amount": [40.0, 0.0, 0.0],
        "observed_revenue_amount": [50.0, 20.0, 30.0],
    }
)


def test_naive_forecasts_by_hand():
    recent = pd.DataFrame(
        {"customer_id": ["c"], "recent_orders_count": [2], "recent_revenue_amount": [7.5]}
    )
    found = naive_forecasts(BATCH, 35, recent)
    assert list(found["naive_rate"]["orders"]) == pytest.approx([2.0, 0.0, 0.5])
    assert list(found["naive_rate"]["revenue"]) == pytest.approx([2.0 * 10, 0.0, 0.5 * 10])
    # Six repeat purchases in 40 weeks, five weeks ahead; 100 of money in nine purchases.
    assert list(found["mean"]["orders"]) == pytest.approx([0.75] * 3)
    assert list(found["mean"]["revenue"]) == pytest.approx([0.75 * 100 / 9] * 3)
    assert list(found["last_period"]["orders"]) == [0, 0, 2]
    assert list(found["last_period"]["revenue"]) == [0, 0, 7.5]
    assert "last_period" not in naive_forecasts(BATCH, 35)


def test_nbd_finds_the_rates_of_customers_who_never_leave():
    rng = np.random.default_rng(3)
    weeks = rng.integers(10, 100, 20_000).astype(float)
    rate = rng.gamma(0.8, 1 / 9.0, 20_000)
    x = rng.poisson(rate * weeks).astype(float)
    nbd = NegativeBinomial.fit(x, weeks)
    assert (nbd.r, nbd.alpha) == (pytest.approx(0.8, rel=0.05), pytest.approx(9.0, rel=0.05))
    future = rng.poisson(rate * 10)
    assert nbd.mean(x, weeks, 10.0).sum() == pytest.approx(future.sum(), rel=0.03)


def test_nbd_expectation_and_score_are_those_of_the_distribution():
    nbd = NegativeBinomial(0.5, 4.0)
    x, weeks, actual = np.array([0.0, 6.0]), np.array([10.0, 12.0]), np.array([1.0, 2.0])
    law = stats.nbinom(0.5 + x, (4.0 + weeks) / (4.0 + weeks + 8.0))
    assert nbd.mean(x, weeks, 8.0) == pytest.approx(law.mean())
    draws = law.rvs((40_000, 2), random_state=1).T.astype(float)
    assert nbd.crps(x, weeks, 8.0, actual) == pytest.approx(measures.crps(draws, actual), rel=0.03)


@pytest.mark.parametrize("x", [np.zeros(50), np.full(50, 3.0)])
def test_nbd_stays_finite_where_its_likelihood_does_not(x):
    nbd = NegativeBinomial.fit(x, np.full(50, 20.0))
    expected = nbd.mean(x, np.full(50, 20.0), 10.0)
    assert expected == pytest.approx(np.full(50, x[0] / 2), abs=0.05)


def test_trees_learn_what_features_say_and_take_missing_values():
    rng = np.random.default_rng(5)
    features = pd.DataFrame({"customer_id": [f"c{i}" for i in range(3000)]})
    features["known"] = rng.uniform(0, 2, 3000)
    features["gaps"] = np.where(rng.random(3000) < 0.5, np.nan, 1.0)
    features["empty"] = np.nan
    outcomes = pd.DataFrame(
        {
            "customer_id": features["customer_id"],
            "realised_orders_count": rng.poisson(features["known"]),
            "realised_revenue_amount": 0.0,
        }
    )
    # Customers without a row count as silent, and the order of rows says nothing.
    seen = outcomes[outcomes["realised_orders_count"] > 0].sample(frac=1, random_state=1)
    model = GradientBoosting(1).fit(features, seen)
    assert model.columns_ == ["known", "gaps"]
    found = model.predict(features)
    assert np.corrcoef(found["orders"], features["known"])[0, 1] > 0.9
    assert found["orders"].mean() == pytest.approx(1.0, abs=0.1)
    assert (found["revenue"] == 0).all()


@pytest.mark.parametrize("size", [10, 19, 20])
def test_trees_learn_from_few_customers_and_refuse_fewer(size):
    features = pd.DataFrame({"customer_id": [f"c{i}" for i in range(size)], "known": range(size)})
    outcomes = features[["customer_id"]].assign(
        realised_orders_count=1, realised_revenue_amount=[30.0] + [0.0] * (size - 1)
    )
    found = GradientBoosting(1).fit(features, outcomes).predict(features)
    assert found["orders"] == pytest.approx(np.ones(size))
    assert np.isfinite(found["revenue"]).all()
    with pytest.raises(ValueError, match="features hold 9 customers, and trees need 10"):
        GradientBoosting(1).fit(features.head(9), outcomes)
