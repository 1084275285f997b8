"""Which past dates are tested, on what outcomes, and what the result says of today's intervals.

Add here a rule about origins, horizons or status. Scores are computed in
models_py/lifetime_value/backtest.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from dagster_project.result_tables import LTV_BACKTESTS, LTV_CALIBRATION
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.lifetime_value import LifetimeValue

MAX_ORIGINS = 12
CALIBRATION_TOLERANCE = 0.03
NOMINAL = 0.9

BATCH_COLUMNS = (
    "customer_id, as_of_date, repeat_purchase_days_count, active_span_days, tenure_days, "
    "first_purchase_amount, repeat_purchase_amount, first_purchase_log_amount, "
    "purchase_log_amount_sum, observed_revenue_amount, observed_margin_amount"
)
# Net of an order as known at the end of the window: a later refund is not yet seen.
OUTCOMES = """
    with days as (
        select customer_id, purchase_date, sum(revenue_amount) as revenue_amount
        from marts.fct_revenue_ledger
        where purchase_date > ? and purchase_date <= ? and event_date <= ?
        group by customer_id, purchase_date having sum(revenue_amount) > 0
    )
    select features.customer_id, cast(? as integer) as horizon_days,
        count(days.purchase_date) as realised_orders_count,
        coalesce(cast(sum(days.revenue_amount) as double), 0) as realised_revenue_amount
    from marts.fct_customer_features as features
    left join days on days.customer_id = features.customer_id
    where features.as_of_date = ? and features.purchase_days_count > 0
    group by features.customer_id order by features.customer_id
"""


def batch_sql(as_of_date: dt.date) -> str:
    """Customers to predict at a date, in the fixed order that makes slices repeatable."""
    return (
        f"select {BATCH_COLUMNS} from marts.fct_customer_features "
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
        "order by as_of_date desc limit ?",
        [as_of_date, MAX_ORIGINS],
    ).fetchall()
    return sorted(row[0] for row in rows)


def is_due(
    warehouse: Warehouse, as_of_date: dt.date, fitted_on: dt.date, horizons_days: Sequence[int]
) -> bool:
    """At a refit, and whenever a horizon can be tested that the last backtest could not."""
    if fitted_on == as_of_date:
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


def run(
    warehouse: Warehouse,
    as_of_date: dt.date,
    versions: dict[dt.date, str],
    load: Callable[[str], LifetimeValue],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every origin at every horizon whose outcome window has ended.

    Returns
    -------
    (DataFrame, DataFrame)
        Rows of predictions.ltv_backtests and predictions.ltv_calibration; empty without origins.
    """
    from models_py.lifetime_value import evaluate, score

    scores = [pd.DataFrame(columns=LTV_BACKTESTS.column_names)]
    calibration = [pd.DataFrame(columns=LTV_CALIBRATION.column_names)]
    for origin, version in versions.items():
        model = load(version)
        horizons = [h for h in model.horizons_days if origin + dt.timedelta(days=h) <= as_of_date]
        if not horizons:
            continue
        outcomes = pd.concat([_outcomes(warehouse, origin, horizon) for horizon in horizons])
        evaluated = evaluate(model, warehouse.frame(batch_sql(origin)), outcomes, origin)
        metrics, levels = score(evaluated, as_of_date, origin, model.purchase_model)
        metrics = pd.concat([metrics, _totals(evaluated, as_of_date, origin, model.purchase_model)])
        scores.append(metrics.assign(model_version_id=version))
        calibration.append(levels.assign(model_version_id=version))
    filled = [frame for frame in scores if len(frame)] or scores
    levels_filled = [frame for frame in calibration if len(frame)] or calibration
    return pd.concat(filled, ignore_index=True), pd.concat(levels_filled, ignore_index=True)


def interval_status(
    warehouse: Warehouse, as_of_date: dt.date, horizons_days: Sequence[int]
) -> dict[int, str]:
    """calibrated, uncalibrated or extrapolated, per horizon, by the latest backtest known then.

    Calibrated: over origins whose windows do not overlap, the randomised PIT of revenue is in
    (0.05, 0.95) for 87 to 93 % of all customers, of repeat buyers and of the top decile alike.
    Everyone together would hide much: where most buy nothing, a forecast that is twice too high
    still looks right.
    """
    rows = warehouse.connection.execute(
        "with latest as (select max(as_of_date) as as_of_date from predictions.ltv_calibration "
        "where as_of_date <= ?) "
        "select horizon_days, origin_date, slice, pit_coverage, customers_count "
        "from predictions.ltv_calibration join latest using (as_of_date) "
        "where quantity = 'revenue' and nominal_level = ? order by all",
        [as_of_date, NOMINAL],
    ).fetchall()
    status = {}
    for horizon in horizons_days:
        tested = [row[1:] for row in rows if row[0] == horizon]
        chosen = _not_overlapping({origin for origin, *_ in tested}, horizon, as_of_date)
        coverage = {
            name: _weighted([row[2:] for row in tested if row[0] in chosen and row[1] == name])
            for name in sorted({row[1] for row in tested})
        }
        if not coverage:
            status[horizon] = "extrapolated"
        elif all(abs(share - NOMINAL) <= CALIBRATION_TOLERANCE for share in coverage.values()):
            status[horizon] = "calibrated"
        else:
            status[horizon] = "uncalibrated"
    return status


def past_blocks(
    warehouse: Warehouse, as_of_date: dt.date, horizons_days: Sequence[int], quantity: str
) -> dict[int, list[tuple[float, float]]]:
    """(actual, predicted) totals of past blocks that do not overlap, per horizon.

    ``quantity`` is revenue or orders.

    Blocks are as long as the horizon, or as the longest shorter horizon that was tested.
    """
    rows = warehouse.connection.execute(
        "with latest as (select max(as_of_date) as as_of_date from predictions.ltv_backtests "
        "where as_of_date <= ?) "
        "select horizon_days, origin_date, "
        "max(value) filter (where metric = ?), max(value) filter (where metric = ?) "
        "from predictions.ltv_backtests join latest using (as_of_date) "
        "where ends_with(metric, '_total') "
        "group by horizon_days, origin_date order by origin_date desc",
        [as_of_date, f"{quantity}_actual_total", f"{quantity}_predicted_total"],
    ).fetchall()
    blocks: dict[int, list[tuple[float, float]]] = {}
    for horizon in horizons_days:
        tested = [length for length, *_ in rows if length <= horizon]
        length = max(tested, default=0)
        totals = {
            row[1]: row[2:]
            for row in rows
            if row[0] == length and min(row[2] or 0, row[3] or 0) > 0
        }
        chosen = _not_overlapping(set(totals), length, as_of_date)
        blocks[horizon] = [(float(totals[day][0]), float(totals[day][1])) for day in chosen]
    return blocks


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


def _outcomes(warehouse: Warehouse, origin: dt.date, horizon: int) -> pd.DataFrame:
    end = origin + dt.timedelta(days=horizon)
    return warehouse.frame(OUTCOMES, [origin, end, end, horizon, origin])


def _totals(
    evaluated: pd.DataFrame, as_of_date: dt.date, origin: dt.date, model: str
) -> pd.DataFrame:
    """Actual and predicted totals over everyone, per horizon, as rows of the backtest table."""
    totals = evaluated.groupby("horizon_days").agg(
        orders_actual_total=("realised_orders", "sum"),
        orders_predicted_total=("predicted_orders", "sum"),
        revenue_actual_total=("realised_revenue", "sum"),
        revenue_predicted_total=("predicted_revenue", "sum"),
        customers_count=("customer_id", "size"),
    )
    rows = totals.reset_index().melt(
        ["horizon_days", "customers_count"], var_name="metric", value_name="value"
    )
    return rows.assign(
        as_of_date=pd.Timestamp(as_of_date),
        origin_date=pd.Timestamp(origin),
        slice="all",
        model=model,
    )
