"""A whole backtest on a small warehouse made by hand: roles, baselines, corrections, verdict.

Add here what a backtest writes. Rules about origins are tested in test_backtesting.py, the verdict
on a fit in test_backtest_verdict.py, measures in tests/models.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project import backtest_families, backtest_run, backtesting
from dagster_project.backtest_families import select
from dagster_project.backtest_origins import Origin
from dagster_project.backtest_outcomes import KnownLedger
from dagster_project.backtest_run import run
from dagster_project.result_tables import LTV_BACKTESTS, LTV_CALIBRATION, LTV_RECALIBRATION
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import LifetimeValue, Recalibration, Sampling
from models_py.lifetime_value.grouping import group_purchases, group_spend
from tests.warehouse.backtest_shop import (
    HORIZONS,
    ORIGINS,
    TODAY,
    features,
    fill,
    orders_of,
    purchases,
)


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
        fill(warehouse, orders_of(shop), [features(shop, day) for day in ORIGINS])
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


def test_a_family_serves_only_when_it_gains_significantly():
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 1.0, (500, 1))
    chance, gain = noise - noise.mean() + 0.01, noise - noise.mean() + 0.3
    assert select("mbg_nbd", {"bg_nbd": [chance], "pareto_nbd": [chance]}) == "mbg_nbd"
    assert select("mbg_nbd", {"bg_nbd": [chance], "pareto_nbd": [gain]}) == "pareto_nbd"
    assert select("mbg_nbd", {}) == "mbg_nbd"


def test_a_costly_family_is_left_out_of_large_shops(warehouse, model, monkeypatch):
    fitted, ways = [], {}

    def fit(groups, family, sampling, *_):
        fitted.append(family)
        ways[family] = sampling.inference
        health = {"k_hat": 0.1, "ess_bulk_min": 1e3, "ess_tail_min": 1e3}
        return model.draws_[["r", "alpha", "a", "b"]], health

    monkeypatch.setattr(backtest_families, "fit_purchases", fit)
    for limit in (10_000, 100):
        monkeypatch.setattr(backtest_families, "MOST_GROUPS", limit)
        for family in ("bg_nbd", "pareto_nbd"):
            backtest_families._of_family(warehouse, family, model, ORIGINS[0])
    assert fitted == ["bg_nbd", "pareto_nbd", "bg_nbd"]
    assert ways == {"bg_nbd": "auto", "pareto_nbd": "importance"}


def test_a_costly_family_is_left_out_where_today_is_large(warehouse, model, monkeypatch):
    tried = []
    monkeypatch.setattr(
        backtest_families, "_of_family", lambda _, family, *__: tried.append(family)
    )
    day = ORIGINS[-1]
    for limit in (10_000, 1):
        monkeypatch.setattr(backtest_families, "MOST_GROUPS", limit)
        backtest_families.compare_families(
            warehouse,
            {30: {ORIGINS[0]: "O"}},
            {ORIGINS[0]: Origin.read(warehouse, ORIGINS[0])},
            {ORIGINS[0]: model},
            {},
            ("bg_nbd", "pareto_nbd"),
            KnownLedger.read(warehouse, day),
        )
    assert tried == ["bg_nbd", "pareto_nbd", "bg_nbd"]


def test_only_the_scored_customers_of_an_origin_stay_in_memory(warehouse, model, monkeypatch):
    kept = {}

    def compare(_, __, origins, *___):
        kept.update(origins)
        return []

    monkeypatch.setattr(backtest_run, "compare_families", compare)
    result = run(warehouse, TODAY, {ORIGINS[-1]: "v"}, lambda _: model, (30,))
    (origin,) = kept.values()
    assert len(origin.everyone) == 0 and len(origin.batch) > 0
    assert set(result.scores["population_count"].dropna()) == {origin.population_count}
    assert origin.population_count >= len(origin.batch)


def test_a_backtest_without_origins_writes_nothing(warehouse, model):
    empty = run(warehouse, TODAY, {}, lambda _: model, HORIZONS)
    assert len(empty.scores) == len(empty.calibration) == len(empty.recalibration) == 0
    assert list(empty.scores.columns) == LTV_BACKTESTS.column_names
