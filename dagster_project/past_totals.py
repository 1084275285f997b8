"""What past forecasts of totals missed, read off the backtests: how far today's totals are widened.

Add here which past totals count. How a discrepancy is learned from them is
models_py/lifetime_value/discrepancy.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster_project.value_totals import QUANTITIES, Sums
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.lifetime_value import TotalDiscrepancy

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
    where ends_with(metric, '_total') and slice = 'all' and model = ?
    group by origin_date, horizon_days order by origin_date, horizon_days
"""
Past = list[tuple[dt.date, int, float | None, float | None, float | None, float | None]]


def past_totals(warehouse: Warehouse, as_of_date: dt.date, purchase_model: str) -> Past:
    """Totals of earlier origins as the latest backtest on or before a date compared them.

    Returns
    -------
    list of tuple
        origin_date, horizon_days, actual and predicted orders, actual and predicted revenue.
    """
    return warehouse.connection.execute(PAST, [as_of_date, purchase_model]).fetchall()


def discrepancies(
    past: Past, as_of_date: dt.date, horizons_days: Sequence[int], sums: Sums
) -> dict[tuple[str, int], TotalDiscrepancy]:
    """The discrepancy of each quantity and horizon, learned from what past totals missed.

    Parameters
    ----------
    past
        As from `past_totals`.
    sums
        Draws of the date, whose whole says what chance explains of a miss.
    """
    from models_py.lifetime_value import PastTotal, TotalDiscrepancy

    learned = {}
    for number, quantity in enumerate(QUANTITIES):
        totals = [
            PastTotal(row[0].toordinal(), row[1], row[2 + 2 * number], row[3 + 2 * number])
            for row in past
            if None not in row[2 + 2 * number : 4 + 2 * number]
        ]
        whole = getattr(sums.totals["portfolio"], quantity).sum(axis=0)  # (draw, horizon)
        draws = {days: whole[:, place] for place, days in enumerate(horizons_days)}
        for horizon in horizons_days:
            learned[quantity, horizon] = TotalDiscrepancy.of_horizon(
                totals, horizon, as_of_date.toordinal(), draws
            )
    return learned
