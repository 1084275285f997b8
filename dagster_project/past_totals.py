"""What past forecasts of totals missed, read off the backtests: how far today's are widened.

Add here which past totals count. How a discrepancy is learned from them is
models_py/lifetime_value/discrepancy.py, when a total is refused total_status.py beside it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster_project.value_totals import QUANTITIES, Sums
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.lifetime_value import TotalDiscrepancy, TotalStatus

PAST = """
    with latest as (
        select max(as_of_date) as as_of_date from predictions.ltv_backtests where as_of_date <= ?
    )
    select origin_date, horizon_days,
        max(value) filter (where metric = 'orders_actual_total'),
        max(value) filter (where metric = 'orders_predicted_total'),
        max(value) filter (where metric = 'revenue_actual_total'),
        max(value) filter (where metric = 'revenue_predicted_total')
    from predictions.ltv_backtests join latest using (as_of_date)
    where ends_with(metric, '_total') and slice = 'all'
    group by origin_date, horizon_days order by origin_date, horizon_days
"""
Past = list[tuple[dt.date, int, float | None, float | None, float | None, float | None]]


def past_totals(warehouse: Warehouse, as_of_date: dt.date) -> Past:
    """Totals of earlier origins as the latest backtest on or before a date compared them.

    Of the fits in force then, whatever their family: a change of family ends no refusal.

    Returns
    -------
    list of tuple
        origin_date, horizon_days, actual and predicted orders, actual and predicted revenue.
    """
    return warehouse.connection.execute(PAST, [as_of_date]).fetchall()


@dataclass(frozen=True)
class Widening:
    """How the interval of one quantity and horizon is widened, and what it is worth."""

    discrepancy: TotalDiscrepancy
    status: TotalStatus


def widenings(
    past: Past,
    as_of_date: dt.date,
    horizons_days: Sequence[int],
    sums: Sums,
    random_state: int,
) -> dict[tuple[str, int], Widening]:
    """The discrepancy and status of each quantity and horizon, by what past totals missed.

    Parameters
    ----------
    past
        As from `past_totals`.
    sums
        Draws of the date, whose whole says what chance explains of a miss, and whether the interval
        is too wide to say anything.
    """
    from models_py.lifetime_value import PastTotal, TotalDiscrepancy, TotalStatus

    learned = {}
    for number, quantity in enumerate(QUANTITIES):
        totals = [
            PastTotal(row[0].toordinal(), row[1], row[2 + 2 * number], row[3 + 2 * number])
            for row in past
            if None not in row[2 + 2 * number : 4 + 2 * number]
        ]
        whole = getattr(sums.totals["portfolio"], quantity).sum(axis=0)  # (draw, horizon)
        draws = {days: whole[:, place] for place, days in enumerate(horizons_days)}
        today = as_of_date.toordinal()
        for horizon in horizons_days:
            discrepancy = TotalDiscrepancy.of_horizon(totals, horizon, today, draws)
            widened = discrepancy.summarise(draws[horizon], "total", random_state)
            ends = float(widened["total_p50"]), float(widened["total_p95"])
            status = TotalStatus.judge(totals, horizon, today, draws, *ends)
            learned[quantity, horizon] = Widening(discrepancy, status)
    return learned
