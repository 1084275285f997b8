"""Which past dates are tested, and what the result says of today's intervals and family.

Add here a rule about origins, horizons or status. Running a backtest is backtest_run.py, what takes
a fit out of force backtest_rejection.py, scores are models_py/lifetime_value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd

from dagster_project.lifetime_value_statistics import POOLS
from dagster_project.result_tables import LTV_BACKTESTS
from dagster_project.warehouse import Warehouse

MAX_ORIGINS = 12
CALIBRATION_TOLERANCE = 0.03
NOMINAL = 0.9
STATUS_SLICES = ("all", "repeat_buyers", "top_decile")

BATCH_COLUMNS = (
    "customer_id, as_of_date, repeat_purchase_days_count, active_span_days, tenure_days, "
    "first_purchase_amount, repeat_purchase_amount, first_purchase_log_amount, "
    "purchase_log_amount_sum, observed_revenue_amount, observed_margin_amount, "
    + ", ".join(f"{expression} as {name}" for name, expression in POOLS.items())
)


def batch_sql(as_of_date: dt.date, covariates: Sequence[str] = ()) -> str:
    """Customers to predict at a date, in the fixed order that makes slices repeatable.

    With the `covariates` of the model; pools are there in any case.
    """
    added = "".join(f", {name}" for name in covariates if name not in POOLS)
    return (
        f"select {BATCH_COLUMNS}{added} from marts.fct_customer_features "
        f"where as_of_date = date '{as_of_date}' and purchase_days_count > 0 order by customer_id"
    )


def origins(warehouse: Warehouse, as_of_date: dt.date) -> list[dt.date]:
    """Earlier month-ends and refit days with features and a model of their own time."""
    rows = warehouse.connection.execute(
        "select as_of_date from models.table_lineage "
        "where table_name = 'dbt_features' and as_of_date < ? "
        "and (as_of_date = last_day(as_of_date) or as_of_date in (select data_end_date from "
        "models.model_versions where model = 'lifetime_value' and status = 'promoted')) "
        "and as_of_date >= (select min(data_end_date) from models.model_versions "
        "where model = 'lifetime_value' and status = 'promoted') "
        "order by as_of_date",
        [as_of_date],
    ).fetchall()
    return [row[0] for row in rows]


def is_due(
    warehouse: Warehouse, as_of_date: dt.date, fitted_on: dt.date, horizons_days: Sequence[int]
) -> bool:
    """At a refit, after one whose own backtest failed, and when a new horizon can be tested."""
    if fitted_on == as_of_date:
        return True
    # A run that broke off between fit and backtest leaves a fit that nobody has judged.
    if not warehouse.scalar(
        "select count(*) from models.table_lineage "
        "where table_name = ? and as_of_date >= ? and as_of_date < ?",
        [LTV_BACKTESTS.full_name, fitted_on, as_of_date],
    ):
        return True
    tested = {
        row[0]
        for row in warehouse.connection.execute(
            "select distinct horizon_days from predictions.ltv_calibration where as_of_date < ?",
            [as_of_date],
        ).fetchall()
    }
    first = min(origins(warehouse, as_of_date), default=as_of_date)
    return any(
        horizon not in tested and first + dt.timedelta(days=horizon) <= as_of_date
        for horizon in horizons_days
    )


def plan(
    origins: Sequence[dt.date], as_of_date: dt.date, horizons_days: Sequence[int]
) -> dict[int, dict[dt.date, str]]:
    """Origins of each horizon whose outcome windows have ended and do not overlap, and their role.

    The latest `MAX_ORIGINS` of each horizon, counted after the windows that overlap are out: where
    refits are weekly, the last twelve dates of all are too young for a long horizon.
    The earliest third is S, where the family is selected, the next third R, where intervals are
    recalibrated, the others O, where everything is reported: later than what was chosen by, and on
    outcomes that no choice has seen. With two there is no S, with one nothing but O.
    """
    planned = {}
    for horizon in horizons_days:
        ended = {day for day in origins if day + dt.timedelta(days=horizon) <= as_of_date}
        chosen = sorted(_not_overlapping(ended, horizon, as_of_date)[:MAX_ORIGINS])
        third = len(chosen) // 3
        learn = max(third, 1) if len(chosen) > 1 else 0
        planned[horizon] = {
            day: "S" if number < third else "R" if number < third + learn else "O"
            for number, day in enumerate(chosen)
        }
    return planned


def interval_status(
    warehouse: Warehouse, as_of_date: dt.date, horizons_days: Sequence[int]
) -> dict[int, str]:
    """calibrated, uncalibrated or extrapolated, per horizon, by the latest backtest known then.

    Calibrated: over origins O, whose windows do not overlap, the randomised PIT of revenue, after
    the correction learned on R where there was one, is in (0.05, 0.95) for 87 to 93 % of all
    customers, of repeat buyers and of the top decile alike. Everyone together would hide much:
    where most buy nothing, a forecast that is twice too high still looks right.
    """
    rows = warehouse.connection.execute(
        "with latest as (select max(as_of_date) as as_of_date from predictions.ltv_calibration "
        "where as_of_date <= ?) "
        "select horizon_days, origin_date, slice, "
        "coalesce(recalibrated_pit_coverage, pit_coverage), customers_count "
        "from predictions.ltv_calibration join latest using (as_of_date) "
        "where quantity = 'revenue' and nominal_level = ? and slice in (?, ?, ?) "
        "and coalesce(role, 'O') = 'O' and coalesce(is_in_force, true) order by all",
        [as_of_date, NOMINAL, *STATUS_SLICES],
    ).fetchall()
    status = {}
    for horizon in horizons_days:
        tested = [row[1:] for row in rows if row[0] == horizon]
        chosen = _not_overlapping({origin for origin, *_ in tested}, horizon, as_of_date)
        status[horizon] = status_of([row for row in tested if row[0] in chosen])
    return status


def status_of(rows: Sequence[tuple[dt.date, str, float, int]]) -> str:
    """What PIT coverage at the nominal 90 % says.

    Parameters
    ----------
    rows
        Origin O, slice, share inside, customers.
    """
    coverage = {
        name: _weighted([row[2:] for row in rows if row[1] == name])
        for name in sorted({row[1] for row in rows})
    }
    if not coverage:
        return "extrapolated"
    is_good = all(abs(share - NOMINAL) <= CALIBRATION_TOLERANCE for share in coverage.values())
    return "calibrated" if is_good else "uncalibrated"


def _not_overlapping(origins: set[dt.date], length: int, as_of_date: dt.date) -> list[dt.date]:
    """Origins from the latest backwards whose windows of ``length`` days do not overlap."""
    chosen: list[dt.date] = []
    first_start = as_of_date
    for origin in sorted(origins, reverse=True):
        if origin + dt.timedelta(days=length) <= first_start:
            chosen.append(origin)
            first_start = origin
    return chosen


def _weighted(shares: list[tuple[float, int]]) -> float:
    return sum(share * count for share, count in shares) / sum(count for _, count in shares)


def published_recalibration(warehouse: Warehouse, as_of_date: dt.date) -> pd.DataFrame:
    """The corrections that intervals of a date are published with, by the latest backtest known.

    Rows of predictions.ltv_recalibration; none before the first backtest, when quantiles are raw.
    """
    return warehouse.frame(
        "select horizon_days, quantity, customer_group, nominal_level, adjusted_level, "
        "top_from_amount, customers_count from predictions.ltv_recalibration where as_of_date = "
        "(select max(as_of_date) from predictions.ltv_calibration where as_of_date <= ?) "
        "order by all",
        [as_of_date],
    )


def selected_family(warehouse: Warehouse, as_of_date: dt.date, families: Sequence[str]) -> str:
    """The family that the latest backtest before a date selected, else the first of config.yml."""
    found = warehouse.scalar(
        "select model from predictions.ltv_backtests where metric = 'family_selected' "
        "and value = 1 and as_of_date < ? order by as_of_date desc, model limit 1",
        [as_of_date],
    )
    return str(found) if found in families else families[0]
