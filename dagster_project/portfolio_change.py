"""Why the value of the base moved since the slice before: persons, behaviour or the model.

Add here another part of the movement; the parts must go on summing to it. Draws are summed in
value_totals.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd

from dagster_project.warehouse import Warehouse

PARTS = ("departed", "behaviour", "new_customers", "model")
COLUMNS = (
    "previous_as_of_date",
    "previous_revenue_amount",
    *(f"{part}_change_amount" for part in PARTS),
)
PREVIOUS = """
    select value.as_of_date, value.model_version_id from predictions.customer_ltv as value
    join models.promoted_dates as promoted using (as_of_date)
    where is_promoted and value.as_of_date < ?
    order by value.as_of_date desc limit 1
"""
SUM = "sum(cast({} as decimal(38, 9)))"
LEVELS = f"""
    with now as (
        select customer_id, horizon_days, predicted_revenue_mean as value
        from predictions.customer_ltv where as_of_date = ?
    ),
    before as (
        select customer_id, horizon_days, predicted_revenue_mean as value
        from predictions.customer_ltv where as_of_date = ?
    )
    select horizon_days,
        {SUM.format("before.value")} as previous,
        coalesce({SUM.format("case when now.value is not null then before.value end")}, 0) as kept,
        coalesce({SUM.format("case when before.value is not null then now.value end")}, 0) as known,
        {SUM.format("now.value")} as today
    from now full join before using (customer_id, horizon_days)
    group by horizon_days having count(before.value) > 0 and count(now.value) > 0
    order by horizon_days
"""
CENT = Decimal("0.01")


def previous_slice(
    warehouse: Warehouse, as_of_date: dt.date
) -> tuple[dt.date, str] | tuple[None, None]:
    """Date and model version of the latest promoted slice before a date, if there is one."""
    rows = warehouse.connection.execute(PREVIOUS, [as_of_date]).fetchall()
    return (rows[0][0], str(rows[0][1])) if rows else (None, None)


def split(
    warehouse: Warehouse,
    as_of_date: dt.date,
    previous_date: dt.date | None,
    horizons_days: Sequence[int],
    earlier_model: np.ndarray | None,
) -> pd.DataFrame:
    """The change of predicted revenue since ``previous_date``, in cents that sum exactly.

    From the total before, in this order: customers who are none any more leave; known customers get
    the history of today under the model of that slice; new customers come, under that model; then
    the model of today replaces it for all. Each total on the way is rounded to the cent and a part
    is the difference of two, so the parts sum to the change.

    Parameters
    ----------
    earlier_model
        (2, horizon), millionths: today's customers under the model of that slice, unknown and known
        to it (`value_totals.Sums`). None when that model is the one of today.

    Returns
    -------
    DataFrame
        horizon_days and `COLUMNS`, NULL for a horizon that the slice before did not predict.
    """
    empty = pd.DataFrame({"horizon_days": horizons_days})
    if previous_date is None:
        return empty.assign(**dict.fromkeys(COLUMNS))
    found = warehouse.connection.execute(LEVELS, [as_of_date, previous_date]).fetchall()
    rows = []
    for horizon, previous, kept, known, today in found:
        if horizon not in horizons_days:
            continue
        behaved, joined = known, today
        if earlier_model is not None:
            new, known_then = earlier_model[:, list(horizons_days).index(horizon)]
            behaved = Decimal(int(known_then)) / 1_000_000
            joined = behaved + Decimal(int(new)) / 1_000_000
        levels = [amount.quantize(CENT) for amount in (previous, kept, behaved, joined, today)]
        parts = [after - before for before, after in pairwise(levels)]
        rows.append((horizon, previous_date, levels[0], *parts))
    return empty.merge(pd.DataFrame(rows, columns=["horizon_days", *COLUMNS]), how="left")
