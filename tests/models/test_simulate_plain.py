"""Plain simulated customers follow the models' theory, in both families and both clocks.

Add here a moment or law that a simulated ideal shop must obey.
Recovery of parameters by fitting lives with the tests of the lifetime-value models.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.simulate import PlainParameters, simulate_purchases

PARAMETERS = PlainParameters(r=1.5, alpha=8.0, a=1.2, b=4.0, p=5.0, q=6.0, v=20.0, kappa=0.8)


def _expected_repeats(tenure_days, truth, family):
    """E[x | lambda, p, T] with dropout after purchases; the modified family can leave at once."""
    rate = truth.purchase_rate / 7
    p = truth.dropout_probability
    after_first = (1 - np.exp(-rate * p * tenure_days)) / p
    return np.where(family == "mbg_nbd", (1 - p) * after_first, after_first)


@pytest.mark.parametrize("family", ["mbg_nbd", "bg_nbd"])
def test_mean_repeat_purchases_match_theory(family):
    frame, truth = simulate_purchases(PARAMETERS, 20_000, 500, 1, family)
    surprise = frame["repeat_purchase_days_count"] - _expected_repeats(
        frame["tenure_days"], truth, family
    )
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(len(frame))


def test_future_orders_match_theory_over_past_and_future_together():
    frame, truth = simulate_purchases(PARAMETERS, 20_000, 300, 2)
    total = frame["repeat_purchase_days_count"] + frame["realised_orders_365d_count"]
    surprise = total - _expected_repeats(frame["tenure_days"] + 365, truth, "mbg_nbd")
    assert abs(surprise.mean()) < 4 * surprise.std() / np.sqrt(len(frame))
    assert (frame["realised_orders_365d_count"] >= frame["realised_orders_90d_count"]).all()
    gone = ~truth.is_alive
    assert gone.any()
    assert frame.loc[gone, "realised_orders_365d_count"].sum() == 0


def test_spend_means_match_theory_and_the_first_order_is_scaled():
    frame, _ = simulate_purchases(PARAMETERS, 40_000, 500, 3)
    mean = PARAMETERS.p * PARAMETERS.v / (PARAMETERS.q - 1)
    first = frame["first_purchase_amount"]
    assert abs(first.mean() / (PARAMETERS.kappa * mean) - 1) < 0.02
    repeats = frame[frame["repeat_purchase_days_count"] > 0]
    per_order = repeats["repeat_purchase_amount"] / repeats["repeat_purchase_days_count"]
    assert abs(per_order.mean() / mean - 1) < 0.02
    assert np.allclose(np.log(first), frame["first_purchase_log_amount"])


def test_whole_days_keep_totals_and_round_to_the_nearest_day():
    exact, _ = simulate_purchases(PARAMETERS, 3_000, 400, 4)
    daily, _ = simulate_purchases(PARAMETERS, 3_000, 400, 4, whole_days=True)
    assert (daily["active_span_days"] % 1 == 0).all()
    assert (daily["active_span_days"] <= daily["tenure_days"]).all()
    assert (abs(daily["tenure_days"] - exact["tenure_days"]) <= 0.5).all()
    merged = exact["repeat_purchase_days_count"].sum() - daily["repeat_purchase_days_count"].sum()
    assert 0 < merged < 0.1 * exact["repeat_purchase_days_count"].sum()
    columns = ["first_purchase_amount", "repeat_purchase_amount", "realised_revenue_365d_amount"]
    assert daily[columns].sum().sum() == pytest.approx(exact[columns].sum().sum(), rel=0.002)


def test_first_purchases_are_staggered_unless_a_cohort_is_asked_for():
    rolling, _ = simulate_purchases(PARAMETERS, 2_000, 300, 5)
    cohort, _ = simulate_purchases(PARAMETERS, 2_000, 300, 5, acquisition_days=0)
    assert 140 < rolling["tenure_days"].mean() < 160
    assert (cohort["tenure_days"] == 300).all()


def test_the_seed_alone_decides():
    first, _ = simulate_purchases(PARAMETERS, 500, 300, 6)
    again, _ = simulate_purchases(PARAMETERS, 500, 300, 6)
    other, _ = simulate_purchases(PARAMETERS, 500, 300, 7)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="family"):
        simulate_purchases(PARAMETERS, 10, 300, 1, "pareto")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="acquisition_days"):
        simulate_purchases(PARAMETERS, 10, 300, 1, acquisition_days=301)
