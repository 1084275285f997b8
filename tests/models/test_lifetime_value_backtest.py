"""Outcomes against predictions: uniform PIT where the model is true, and what scores report.

Add here a property of backtests or of totals with discrepancy.
Predictions themselves are tested in `test_lifetime_value_predict`.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from models_py.lifetime_value import (
    LifetimeValue,
    evaluate,
    randomised_pit,
    score,
)
from models_py.lifetime_value.backtest import (
    expected_totals,
    keyed_sample,
    weekly_tracking,
    with_other_settings,
)
from models_py.lifetime_value.baselines import NegativeBinomial, naive_forecasts
from models_py.lifetime_value.scores import (
    BACKTEST_COLUMNS,
    CALIBRATION_COLUMNS,
    baseline_rows,
    gains,
)
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


def test_a_customer_has_another_lot_at_every_origin(shop):
    """Windows that share their lots agree with each other by construction."""
    features, outcomes = shop
    there, here = (
        evaluate(true_model(), features.head(1500), outcomes, day)
        for day in (AS_OF, AS_OF + dt.timedelta(days=30))
    )
    silent = (here["realised_orders"] == 0) & (here["horizon_days"] == 30)
    # The PIT of a silent customer is the lot times P(no order).
    lots = [
        (rows["orders_pit"] / (1.0 - rows["purchase_probability"]))[silent]
        for rows in (there, here)
    ]
    assert silent.sum() > 500
    assert abs(np.corrcoef(lots[0], lots[1])[0, 1]) < 0.1


def test_customers_without_an_outcome_row_count_as_silent(shop):
    features, outcomes = shop
    sparse = outcomes[outcomes["realised_orders_count"] > 0]
    few = features.head(100)
    full = evaluate(true_model(), few, outcomes, AS_OF)
    pd.testing.assert_frame_equal(evaluate(true_model(), few, sparse, AS_OF), full)


def baselines_of(shop, evaluated) -> pd.DataFrame:
    parts = []
    for horizon in HORIZONS:
        rows = evaluated[evaluated["horizon_days"] == horizon]
        parts.append(baseline_rows(naive_forecasts(shop[0], horizon), rows))
    return pd.concat(parts)


def test_score_reports_every_slice_with_baselines_beside_the_model(shop, evaluated):
    stages = pd.Series("churned", index=shop[0]["customer_id"].head(500))
    found = score(
        evaluated, dt.date(2025, 1, 1), AS_OF, "mbg_nbd", baselines_of(shop, evaluated), stages
    )
    metrics, calibration = found
    assert tuple(metrics.columns) == BACKTEST_COLUMNS
    assert tuple(calibration.columns) == CALIBRATION_COLUMNS
    slices = {"all", "repeat_buyers", "one_time", "top_decile", "stage_churned"}
    assert set(metrics["slice"]) == slices
    at = metrics[(metrics["slice"] == "all") & (metrics["horizon_days"] == 180)]
    table = at.set_index(["model", "metric"])["value"]
    for other in ("naive_rate", "all_zero", "mean", "nbd"):
        for metric in ("revenue_rmse", "revenue_crps", "orders_crps"):
            assert table["mbg_nbd", metric] < table[other, metric], f"{metric} of {other}"
    assert table["all_zero", "orders_bias"] == -1.0
    assert ("all_zero", "orders_spearman") not in table.index
    for metric in ("spearman", "correlation", "normalised_gini"):
        assert table["mbg_nbd", f"orders_{metric}"] > 0.3
    assert table["mbg_nbd", "orders_decile_mape"] < 0.25 < table["naive_rate", "orders_decile_mape"]
    assert table["mbg_nbd", "churn_auc"] > 0.7
    assert table["mbg_nbd", "churn_calibration_error"] < 0.03
    assert table["mbg_nbd", "orders_pit_distance"] < 0.04
    sizes = metrics.groupby("slice")["customers_count"].first()
    assert sizes["repeat_buyers"] + sizes["one_time"] == sizes["all"] == 3000
    assert (sizes["top_decile"], sizes["stage_churned"]) == (300, 500)
    intervals = calibration[
        (calibration["quantity"] != "churn") & (calibration["slice"] != "stage_churned")
    ]
    assert set(intervals["nominal_level"]) == {0.5, 0.8, 0.9, 0.95}
    assert (intervals["pit_coverage"] - intervals["nominal_level"]).abs().max() < 0.08
    # Zeros and whole counts make raw coverage overshoot even under true parameters.
    raw = intervals[(intervals["slice"] == "all") & (intervals["nominal_level"] == 0.9)]
    assert (raw["observed_coverage"] > 0.92).all()
    churn = calibration[(calibration["quantity"] == "churn") & (calibration["slice"] == "all")]
    assert (churn["nominal_level"] - churn["observed_coverage"]).abs().max() < 0.12
    assert len(churn) == 20


def test_gains_find_the_better_forecast_and_not_a_difference_of_chance(shop, evaluated):
    rows = evaluated[evaluated["horizon_days"] == 180]
    naive = baselines_of(shop, evaluated)
    twin = naive[naive["model"] == "mean"].assign(model="twin")
    noise = np.random.default_rng(1).normal(0, 0.2, len(rows))
    mine = rows.set_index("customer_id").loc[twin[twin["horizon_days"] == 180]["customer_id"]]
    for quantity in ("orders", "revenue"):
        score_of = mine[f"{quantity}_crps"].to_numpy() + noise - noise.mean()
        twin.loc[twin["horizon_days"] == 180, f"{quantity}_crps"] = score_of
    both = pd.concat([naive, twin])
    found = gains([(rows, both[both["horizon_days"] == 180])], 3).set_index(["model", "quantity"])
    assert (found.loc[["all_zero", "naive_rate", "mean"], "low"] > 0).all()
    for quantity in ("orders", "revenue"):
        row = found.loc[("twin", quantity)]
        assert row["low"] < 0 < row["high"]
        assert row["gain"] == pytest.approx(0.0, abs=1e-9)


def test_nbd_scores_with_its_whole_distribution(shop, evaluated):
    rows = evaluated[evaluated["horizon_days"] == 180]
    features = shop[0]
    x, weeks = features["repeat_purchase_days_count"].to_numpy(), features["tenure_days"] / 7.0
    actual = rows["realised_orders"].to_numpy()
    nbd = NegativeBinomial.fit(x, weeks.to_numpy())
    crps = nbd.crps(x, weeks.to_numpy(), 180 / 7.0, actual)
    table = baseline_rows(naive_forecasts(features, 180), rows, {"nbd": crps})
    scored = table[table["model"] == "nbd"]["orders_crps"].mean()
    assert rows["orders_crps"].mean() < scored < np.abs(table["orders"] - np.tile(actual, 4)).mean()


def test_weekly_tracking_and_totals_are_those_of_the_futures(shop, evaluated):
    features, _ = shop
    model = true_model()
    totals = expected_totals(model, features, AS_OF, HORIZONS)
    summed = evaluated.groupby("horizon_days")[["predicted_orders", "predicted_revenue"]].sum()
    assert totals["orders"] == pytest.approx(summed["predicted_orders"].to_numpy(), rel=0.02)
    assert totals["revenue"] == pytest.approx(summed["predicted_revenue"].to_numpy(), rel=0.02)
    table = weekly_tracking(model, features, np.array([15, 1, 8, 8, 7]), AS_OF, 2)
    assert list(table["actual"]) == [2.0, 4.0]
    assert table["forecast"].is_monotonic_increasing
    assert len(with_other_settings(model, (7,), 25).draws_) == 25
    assert len(model.draws_) == 300


def test_the_same_customers_are_scored_whoever_else_is_there():
    ids = pd.Series([f"c{number}" for number in range(1000)])
    chosen = set(ids[keyed_sample(ids, 100)])
    assert len(chosen) == 100
    fewer = ids[ids.isin(chosen) | (np.arange(1000) % 2 == 0)].sample(frac=1, random_state=2)
    assert set(fewer[keyed_sample(fewer, 100)]) == chosen
    assert keyed_sample(ids, 1000).all()


def test_outcomes_of_other_horizons_are_refused(shop):
    features, outcomes = shop
    with pytest.raises(ValueError, match="none of the model's horizons"):
        evaluate(true_model(), features.head(5), outcomes.assign(horizon_days=77), AS_OF)
