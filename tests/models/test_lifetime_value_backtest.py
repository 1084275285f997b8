"""Outcomes against predictions: uniform PIT where the model is true, and what scores report.

Add here a property of backtests or of totals with discrepancy.
Predictions themselves are tested in `test_lifetime_value_predict`.
"""

import datetime as dt

import pandas as pd
import pytest
from scipy import stats

from models_py.lifetime_value import (
    LifetimeValue,
    evaluate,
    randomised_pit,
    score,
)
from models_py.lifetime_value.backtest import BACKTEST_COLUMNS, CALIBRATION_COLUMNS
from models_py.simulate.plain import PlainParameters, simulate_purchases

AS_OF = dt.date(2024, 6, 30)
TRUTH = PlainParameters(r=0.6, alpha=6.0, a=0.8, b=2.4, p=3.0, q=4.0, v=30.0, kappa=1.2)
HORIZONS = (30, 180)


def true_model(random_state: int = 0) -> LifetimeValue:
    names = ("r", "alpha", "a", "b", "p", "q", "v", "kappa")
    rows = [
        {
            "model": "mbg_nbd" if name in names[:4] else "spend",
            "draw": draw,
            "parameter": name,
            "value": getattr(TRUTH, name),
        }
        for draw in range(300)
        for name in names
    ]
    return LifetimeValue.from_parameters(
        pd.DataFrame(rows), horizons_days=HORIZONS, random_state=random_state
    )


@pytest.fixture(scope="module")
def shop() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame, _ = simulate_purchases(TRUTH, 3000, 365, 21, horizons_days=HORIZONS)
    frame["observed_revenue_amount"] = (
        frame["first_purchase_amount"] + frame["repeat_purchase_amount"]
    )
    outcomes = pd.concat(
        pd.DataFrame(
            {
                "customer_id": frame["customer_id"],
                "horizon_days": horizon,
                "realised_orders_count": frame[f"realised_orders_{horizon}d_count"],
                "realised_revenue_amount": frame[f"realised_revenue_{horizon}d_amount"],
            }
        )
        for horizon in HORIZONS
    )
    return frame, outcomes


@pytest.fixture(scope="module")
def evaluated(shop) -> pd.DataFrame:
    return evaluate(true_model(), *shop, AS_OF)


@pytest.mark.parametrize("quantity", ["orders", "revenue"])
def test_pit_is_uniform_under_the_true_model(evaluated, quantity):
    long = evaluated[evaluated["horizon_days"] == 180]
    slices = {
        "all": long,
        "repeat buyers": long[long["x"] > 0],
        "top decile": long.nlargest(300, "predicted_revenue"),
    }
    for name, part in slices.items():
        pit = part[f"{quantity}_pit"]
        inside = pit.between(0.05, 0.95).sum()
        low, high = stats.binom.interval(0.999, len(pit), 0.9)
        assert low <= inside <= high, f"{name}: {inside} of {len(pit)}"
    assert stats.kstest(long[f"{quantity}_pit"], "uniform").pvalue > 0.001


def test_totals_under_the_true_model_are_near_the_outcome(evaluated):
    summed = evaluated[evaluated["horizon_days"] == 180].sum(numeric_only=True)
    assert summed["predicted_orders"] == pytest.approx(summed["realised_orders"], rel=0.08)
    assert summed["predicted_revenue"] == pytest.approx(summed["realised_revenue"], rel=0.10)


def test_pit_of_a_customer_does_not_depend_on_the_order_of_rows(shop):
    features, outcomes = shop
    features = features.head(200)
    there = randomised_pit(true_model(), features.sample(frac=1, random_state=4), outcomes, AS_OF)
    here = randomised_pit(true_model(), features, outcomes, AS_OF)
    key = ["customer_id", "horizon_days"]
    pd.testing.assert_frame_equal(
        there.sort_values(key, ignore_index=True), here.sort_values(key, ignore_index=True)
    )


def test_customers_without_an_outcome_row_count_as_silent(shop):
    features, outcomes = shop
    sparse = outcomes[outcomes["realised_orders_count"] > 0]
    few = features.head(100)
    full = evaluate(true_model(), few, outcomes, AS_OF)
    pd.testing.assert_frame_equal(evaluate(true_model(), few, sparse, AS_OF), full)


def test_score_reports_every_slice_with_baselines_beside_the_model(evaluated):
    metrics, calibration = score(evaluated, dt.date(2025, 1, 1), AS_OF, "mbg_nbd")
    assert tuple(metrics.columns) == BACKTEST_COLUMNS
    assert tuple(calibration.columns) == CALIBRATION_COLUMNS
    assert set(metrics["slice"]) == {"all", "repeat_buyers", "top_decile"}
    at = metrics[(metrics["slice"] == "all") & (metrics["horizon_days"] == 180)]
    table = at.set_index(["model", "metric"])["value"]
    assert table["mbg_nbd", "revenue_rmse"] < table["naive_rate", "revenue_rmse"]
    assert table["mbg_nbd", "revenue_rmse"] < table["all_zero", "revenue_rmse"]
    assert table["all_zero", "orders_bias"] == -1.0
    assert ("all_zero", "orders_spearman") not in table.index
    assert table["mbg_nbd", "orders_spearman"] > 0.3
    assert (calibration["pit_coverage"] - calibration["nominal_level"]).abs().max() < 0.08
    # Zeros and whole counts make raw coverage overshoot even under true parameters.
    raw = calibration[(calibration["slice"] == "all") & (calibration["nominal_level"] == 0.9)]
    assert (raw["observed_coverage"] > 0.92).all()


def test_outcomes_of_other_horizons_are_refused(shop):
    features, outcomes = shop
    with pytest.raises(ValueError, match="none of the model's horizons"):
        evaluate(true_model(), features.head(5), outcomes.assign(horizon_days=77), AS_OF)
