"""What past forecasts say of today's intervals, on hand-made backtest tables.

Add here a rule about origins, horizons or status. The scores themselves are tested in tests/models.
"""

import datetime as dt

import pandas as pd
import pytest

from dagster_project import backtesting
from dagster_project.result_tables import (
    LTV_BACKTESTS,
    LTV_CALIBRATION,
    LTV_RECALIBRATION,
    MODEL_VERSIONS,
)
from dagster_project.warehouse import open_warehouse

TODAY = dt.date(2024, 12, 31)
SLICES = ("all", "repeat_buyers", "top_decile")


@pytest.fixture
def warehouse(tmp_path):
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        yield warehouse


def write(warehouse, table, rows):
    frame = pd.DataFrame(rows).reindex(columns=table.column_names)
    warehouse.replace_slice(table, frame, {})


def calibration(coverage, origin=dt.date(2024, 9, 30), horizon=30, count=1000):
    return [
        {
            "as_of_date": TODAY,
            "origin_date": origin,
            "horizon_days": horizon,
            "slice": name,
            "model": "mbg_nbd",
            "quantity": "revenue",
            "nominal_level": 0.9,
            "observed_coverage": 0.95,
            "pit_coverage": share,
            "customers_count": count,
        }
        for name, share in zip(SLICES, coverage, strict=True)
    ]


@pytest.mark.parametrize(
    ("coverage", "status"),
    [
        ((0.90, 0.91, 0.88), "calibrated"),
        ((0.90, 0.91, 0.82), "uncalibrated"),
        ((0.90, 0.94, 0.90), "uncalibrated"),
        ((0.80, 0.90, 0.90), "uncalibrated"),
    ],
)
def test_every_slice_must_be_within_three_points(warehouse, coverage, status):
    write(warehouse, LTV_CALIBRATION, calibration(coverage))
    found = backtesting.interval_status(warehouse, TODAY, (30, 90))
    assert found == {30: status, 90: "extrapolated"}


def test_overlapping_origins_count_once(warehouse):
    good, bad = (0.90, 0.90, 0.90), (0.70, 0.70, 0.70)
    rows = calibration(good, dt.date(2024, 9, 30), 90) + calibration(bad, dt.date(2024, 8, 31), 90)
    write(warehouse, LTV_CALIBRATION, rows)
    assert backtesting.interval_status(warehouse, TODAY, (90,)) == {90: "calibrated"}


def test_a_later_backtest_that_corrects_nothing_ends_an_earlier_correction(warehouse):
    row = {
        "as_of_date": TODAY - dt.timedelta(days=90),
        "horizon_days": 30,
        "quantity": "revenue",
        "customer_group": "repeat",
        "nominal_level": 0.95,
        "adjusted_level": 0.98,
        "top_from_amount": 10.0,
        "customers_count": 500,
    }
    write(warehouse, LTV_RECALIBRATION, [row])
    earlier = [rows | {"as_of_date": row["as_of_date"]} for rows in calibration((0.8, 0.8, 0.8))]
    write(warehouse, LTV_CALIBRATION, earlier)
    published = backtesting.published_recalibration(warehouse, TODAY)
    assert list(published["adjusted_level"]) == [0.98]
    write(warehouse, LTV_CALIBRATION, earlier + calibration((0.9, 0.9, 0.9)))
    assert len(backtesting.published_recalibration(warehouse, TODAY)) == 0


def test_status_is_that_of_reported_origins_after_correction_by_the_family_in_force(warehouse):
    good = [
        rows | {"role": "O", "recalibrated_pit_coverage": 0.9, "is_in_force": True}
        for rows in calibration((0.8, 0.8, 0.8))
    ]
    learned = [rows | {"role": "R"} for rows in calibration((0.7, 0.7, 0.7), dt.date(2024, 7, 31))]
    other = [rows | {"role": "O", "is_in_force": False} for rows in calibration((0.5, 0.5, 0.5))]
    stage = [
        rows | {"role": "O", "slice": "stage_new", "is_in_force": True}
        for rows in calibration((0.5, 0.5, 0.5))[:1]
    ]
    write(warehouse, LTV_CALIBRATION, [*good, *learned, *other, *stage])
    assert backtesting.interval_status(warehouse, TODAY, (30,)) == {30: "calibrated"}


def backtested(warehouse, day):
    warehouse.connection.execute(
        "insert into models.table_lineage values (?, ?, 'r', 'f', 1, 'h')",
        [LTV_BACKTESTS.full_name, day],
    )


def test_origins_have_finished_features_and_a_model_of_their_time(warehouse):
    write(
        warehouse,
        MODEL_VERSIONS,
        [
            {
                "model_version_id": "v",
                "model": "lifetime_value",
                "data_end_date": dt.date(2024, 6, 15),
                "status": "promoted",
            }
        ],
    )
    for day in ("2024-05-31", "2024-06-15", "2024-06-30", "2024-07-10", "2024-12-31"):
        warehouse.connection.execute(
            "insert into models.table_lineage values ('dbt_features', ?, 'r', 'f', 1, 'h')", [day]
        )
    assert backtesting.origins(warehouse, TODAY) == [dt.date(2024, 6, 15), dt.date(2024, 6, 30)]
    backtested(warehouse, dt.date(2024, 6, 15))
    assert backtesting.is_due(warehouse, TODAY, dt.date(2024, 6, 15), (30,))
    write(warehouse, LTV_CALIBRATION, calibration((0.9, 0.9, 0.9)))
    later = TODAY + dt.timedelta(days=1)
    assert not backtesting.is_due(warehouse, later, dt.date(2024, 6, 15), (30,))
    assert backtesting.is_due(warehouse, later, later, (30,))


def test_a_fit_whose_backtest_broke_off_is_judged_by_the_next_slice(warehouse):
    fitted_on = dt.date(2024, 12, 1)
    backtested(warehouse, dt.date(2024, 11, 1))
    assert backtesting.is_due(warehouse, TODAY, fitted_on, (30,))
    backtested(warehouse, TODAY)
    assert backtesting.is_due(warehouse, TODAY, fitted_on, (30,))
    assert not backtesting.is_due(warehouse, TODAY + dt.timedelta(days=7), fitted_on, (30,))


def test_weekly_origins_leave_the_long_horizons_theirs(warehouse):
    weeks = [TODAY - dt.timedelta(days=7 * number) for number in range(1, 157)]
    versions = [
        {
            "model_version_id": str(day),
            "model": "lifetime_value",
            "data_end_date": day,
            "status": "promoted",
        }
        for day in weeks
    ]
    write(warehouse, MODEL_VERSIONS, versions)
    for day in weeks:
        warehouse.connection.execute(
            "insert into models.table_lineage values ('dbt_features', ?, 'r', 'f', 1, 'h')", [day]
        )
    origins = backtesting.origins(warehouse, TODAY)
    assert origins == sorted(weeks)
    plan = backtesting.plan(origins, TODAY, (7, 182, 365))
    assert list(plan[7]) == sorted(weeks[:12])
    assert list(plan[182]) == sorted(weeks[25::26])
    assert len(plan[365]) == 2
