"""A whole backtest on a small warehouse made by hand: roles, baselines, corrections, verdict.

Add here what a backtest writes. Rules about origins are tested in test_backtesting.py, measures in
tests/models.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project import backtesting
from dagster_project.backtest_run import run
from dagster_project.result_tables import (
    LTV_BACKTESTS,
    LTV_CALIBRATION,
    LTV_RECALIBRATION,
    MODEL_VERSIONS,
)
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import LifetimeValue, Recalibration, Sampling
from models_py.lifetime_value.grouping import group_purchases, group_spend

START = dt.date(2023, 1, 1)
ORIGINS = [
    dt.date(2023, 12, 31), dt.date(2024, 1, 31), dt.date(2024, 2, 29),
    dt.date(2024, 3, 31), dt.date(2024, 4, 30),
]  # fmt: skip
TODAY = dt.date(2024, 5, 31)
HORIZONS = (30, 90, 180)


def purchases(customers: int = 600, seed: int = 8) -> pd.DataFrame:
    """Purchase days of customers who buy at a rate of their own and leave after any of them."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        rate, leaving, level = rng.gamma(0.9, 1 / 25), rng.beta(0.8, 3.0), rng.gamma(4, 10)
        day = rng.uniform(0, 330)
        while day < 540:
            rows.append((f"c{number:04}", int(day), round(level * rng.gamma(3, 1 / 3), 2) + 0.01))
            if rng.random() < leaving:
                break
            day += rng.exponential(1 / rate) + 1
    table = pd.DataFrame(rows, columns=["customer_id", "day", "revenue_amount"])
    table["purchase_date"] = pd.to_datetime(START) + pd.to_timedelta(table["day"], unit="D")
    table = table.groupby(["customer_id", "purchase_date"], as_index=False)["revenue_amount"].sum()
    return table.assign(event_date=table["purchase_date"])


def features(days: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    seen = days[days["purchase_date"] <= pd.Timestamp(as_of)].assign(
        log=np.log(days["revenue_amount"])
    )
    by = seen.groupby("customer_id")
    first, last = by["purchase_date"].min(), by["purchase_date"].max()
    total, amount = by["revenue_amount"].sum(), by["revenue_amount"].first()
    return pd.DataFrame(
        {
            "as_of_date": pd.Timestamp(as_of),
            "purchase_days_count": by.size(),
            "repeat_purchase_days_count": by.size() - 1,
            "active_span_days": (last - first).dt.days,
            "tenure_days": (pd.Timestamp(as_of) - first).dt.days,
            "first_purchase_amount": amount,
            "repeat_purchase_amount": (total - amount).round(2),
            "first_purchase_log_amount": by["log"].first(),
            "purchase_log_amount_sum": by["log"].sum(),
            "observed_revenue_amount": total,
            "observed_margin_amount": np.nan,
            "acquisition_channel": "web",
        }
    ).reset_index()


@pytest.fixture(scope="module")
def shop():
    return purchases()


@pytest.fixture(scope="module")
def model(shop) -> LifetimeValue:
    frame = features(shop, ORIGINS[0])
    fitted = LifetimeValue(HORIZONS, draws_kept=200, sampling=Sampling("importance"))
    return fitted.fit(group_purchases(frame), group_spend(frame))


@pytest.fixture(scope="module")
def warehouse(shop, tmp_path_factory):
    with open_warehouse(tmp_path_factory.mktemp("backtest") / "w.duckdb") as warehouse:
        connection = warehouse.connection
        days = shop.assign(
            purchase_date=shop["purchase_date"].dt.date, event_date=shop["event_date"].dt.date
        )
        slices = pd.concat(features(shop, day) for day in ORIGINS)
        slices["as_of_date"] = slices["as_of_date"].dt.date
        connection.execute("create schema if not exists marts")
        for name, frame in (("fct_revenue_ledger", days), ("fct_customer_features", slices)):
            connection.register("given", frame)
            connection.execute(f"create table marts.{name} as select * from given")
            connection.unregister("given")
        yield warehouse


@pytest.fixture(scope="module")
def found(warehouse, model):
    versions = {day: f"v{number}" for number, day in enumerate(ORIGINS)}
    result = run(warehouse, TODAY, versions, lambda _: model, HORIZONS, ("mbg_nbd", "bg_nbd"))
    for table, rows in (
        (LTV_BACKTESTS, result.scores),
        (LTV_CALIBRATION, result.calibration),
        (LTV_RECALIBRATION, result.recalibration),
    ):
        warehouse.replace_slice(table, rows, {"as_of_date": TODAY})
    return result


def test_roles_are_ordered_and_windows_do_not_overlap():
    plan = backtesting.plan(ORIGINS, TODAY, HORIZONS)
    # The 30 days after 31 January end after 29 February.
    assert dt.date(2024, 1, 31) not in plan[30]
    assert list(plan[30].values()) == ["S", "R", "O", "O"]
    assert plan[90] == {dt.date(2024, 2, 29): "O"}
    assert plan[180] == {}
    assert list(backtesting.plan(ORIGINS[:2], TODAY, (30,))[30].values()) == ["R", "O"]
    months = [dt.date(2023, month, 28) for month in range(1, 10)]
    roles = backtesting.plan(months, TODAY, (31,))[31]
    for earlier, later in zip(sorted(roles), sorted(roles)[1:], strict=False):
        assert (later - earlier).days >= 31
        assert "SRO".index(roles[earlier]) <= "SRO".index(roles[later])


def test_every_baseline_is_beside_the_model_and_knows_its_origin_only(found, shop):
    last = found.scores[(found.scores["horizon_days"] == 30) & (found.scores["role"] == "O")]
    last = last[(last["origin_date"] == pd.Timestamp(ORIGINS[-1])) & (last["slice"] == "all")]
    names = {"mean", "last_period", "naive_rate", "nbd", "gradient_boosting", "all_zero", "mbg_nbd"}
    assert names <= set(last[last["metric"] == "orders_crps"]["model"])
    window = shop["purchase_date"].between("2024-04-01", "2024-04-30")
    ahead = shop["purchase_date"].between("2024-05-01", "2024-05-30")
    known = shop[shop["purchase_date"] <= "2024-04-30"]["customer_id"].unique()
    actual = (ahead & shop["customer_id"].isin(known)).sum()
    bias = last[(last["model"] == "last_period") & (last["metric"] == "orders_bias")]["value"]
    assert bias.item() == pytest.approx(window.sum() / actual - 1)
    total = found.scores[found.scores["metric"] == "orders_actual_total"]
    total = total[(total["horizon_days"] == 30)].set_index("origin_date")["value"]
    assert total[pd.Timestamp(ORIGINS[-1])] == actual


def test_every_baseline_is_in_the_verdict_trees_included(found):
    gains = found.scores[found.scores["metric"] == "revenue_crps_gain_high"]
    thirty = gains[gains["horizon_days"] == 30]
    assert set(thirty["model"]) == {
        "all_zero", "mean", "naive_rate", "last_period", "nbd", "gradient_boosting",
    }  # fmt: skip


def test_trees_never_saw_the_first_origins_future(found):
    trees = found.scores[found.scores["model"] == "gradient_boosting"]
    trees = trees[~trees["metric"].str.contains("gain")]
    assert set(trees["origin_date"]) == {pd.Timestamp(ORIGINS[-1])}
    # No earlier date's 90 days had ended by the last origin of that horizon.
    assert set(trees["horizon_days"]) == {30}


def test_corrections_come_from_r_and_are_reported_on_o_only(found, warehouse):
    levels = found.calibration[
        (found.calibration["quantity"] == "revenue") & found.calibration["is_in_force"].astype(bool)
    ]
    by_role = levels.groupby(["horizon_days", "role"])["recalibrated_pit_coverage"]
    has_correction = by_role.apply(lambda values: values.notna().all()).to_dict()
    assert has_correction == {(30, "S"): False, (30, "R"): False, (30, "O"): True, (90, "O"): False}
    status = backtesting.interval_status(warehouse, TODAY, HORIZONS)
    assert status[180] == "extrapolated"
    published = backtesting.published_recalibration(warehouse, TODAY)
    marks = dict(zip(found.recalibration["horizon_days"], found.recalibration["interval_status"],
                     strict=True))  # fmt: skip
    for horizon, mark in marks.items():
        assert status[horizon] == mark
    for horizon in set(marks):
        if marks[horizon] == "calibrated":
            continue
        rows = published[published["horizon_days"] == horizon]
        low, high = rows["nominal_level"] < 0.5, rows["nominal_level"] > 0.5
        assert (rows["adjusted_level"] <= rows["nominal_level"])[low].all()
        assert (rows["adjusted_level"] >= rows["nominal_level"])[high].all()
    again = Recalibration.from_frame(published)
    assert set(again.top_from) == set(marks)


def test_the_family_is_selected_on_s_and_reported_on_o(found, warehouse):
    selected = found.scores[found.scores["metric"] == "family_selected"]
    assert set(selected["role"]) == {"S"}
    assert set(selected["model"]) == {"mbg_nbd", "bg_nbd"}
    assert selected["value"].sum() == 1
    later = TODAY + dt.timedelta(days=1)
    winner = selected.loc[selected["value"] == 1, "model"].item()
    assert backtesting.selected_family(warehouse, later, ("bg_nbd", "mbg_nbd")) == winner
    # The backtest of a date comes after the fit of that date and cannot have chosen its family.
    assert backtesting.selected_family(warehouse, TODAY, ("bg_nbd", "mbg_nbd")) == "bg_nbd"
    other = found.calibration[~found.calibration["is_in_force"].astype(bool)]
    assert set(other["model"]) == {"bg_nbd"}
    assert set(other["role"]) == {"S", "O"}


def test_a_version_worse_than_a_baseline_is_rejected_with_the_reason(found, warehouse):
    good = backtesting.worse_than(warehouse, TODAY)
    assert good == []
    bad_day = TODAY + dt.timedelta(days=10)
    rows = found.scores[found.scores["metric"] == "orders_crps_gain_high"].head(1)
    rows = rows.assign(as_of_date=pd.Timestamp(bad_day), value=-0.25)
    warehouse.replace_slice(LTV_BACKTESTS, rows, {"as_of_date": bad_day})
    reasons = backtesting.worse_than(warehouse, bad_day)
    assert len(reasons) == 1
    assert "significantly worse than by the baseline" in reasons[0]
    versions = [
        {"model_version_id": name, "model": "lifetime_value", "data_end_date": day,
         "status": "promoted"}
        for name, day in (("old", ORIGINS[0]), ("new", TODAY))
    ]  # fmt: skip
    frame = pd.DataFrame(versions).reindex(columns=MODEL_VERSIONS.column_names)
    warehouse.replace_slice(MODEL_VERSIONS, frame, {})
    assert not backtesting.reject(warehouse, "old", reasons)
    assert backtesting.reject(warehouse, "new", reasons)
    stored = warehouse.frame(
        "select model_version_id, status, rejected_because from models.model_versions order by 1"
    )
    assert list(stored["status"]) == ["rejected", "promoted"]
    assert stored["rejected_because"][0] == reasons[0]
    # A second run of that date finds the same fit to judge, and a date without a fit finds none.
    assert backtesting.judged_version(warehouse, TODAY) == "new"
    assert backtesting.judged_version(warehouse, bad_day) is None


def test_a_backtest_without_origins_writes_nothing(warehouse, model):
    empty = run(warehouse, TODAY, {}, lambda _: model, HORIZONS)
    assert len(empty.scores) == len(empty.calibration) == len(empty.recalibration) == 0
    assert list(empty.scores.columns) == LTV_BACKTESTS.column_names
