"""Who moved between two dates, counted in SQL, with movement by refit apart from behaviour.

Add here another level that customers move on, or another length of period.
What former fits would have said is written by former_segments.py; rates and forecasts are
models_py/segmentation.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import duckdb
import pandas as pd

from dagster_project.warehouse import Warehouse

LEVELS = {"stage": "stage", "microsegment": "microsegment_key"}
BEHAVIOUR, REFIT = "behaviour", "refit"
CAUSES = (BEHAVIOUR, REFIT)
PERIODS = ("day", "week", "month")
IRREGULAR = "irregular"
AMOUNT = "cast(sum(cast({} as decimal(38, 9))) as double)"
# History keeps the ids it was written under; of merged persons the row of the id that stayed
# stands for both, as in serving.customer_journey.
PERSONS = """
    select * from (
        select
            coalesce(superseded.customer_id, segments.customer_id) as customer_id,
            segments.as_of_date, segments.stage, segments.microsegment_key,
            coalesce(segments.former_stage, segments.stage) as former_stage,
            coalesce(segments.former_microsegment_key, segments.microsegment_key)
                as former_microsegment_key,
            case when valued.as_of_date is not null then coalesce(value.predicted_revenue_mean, 0)
                end as value,
            case when valued.as_of_date is not null then coalesce(
                segments.former_predicted_revenue_mean, value.predicted_revenue_mean, 0)
                end as former_value,
            row_number() over (
                partition by coalesce(superseded.customer_id, segments.customer_id),
                    segments.as_of_date
                order by case when superseded.customer_id is null then 0 else 1 end,
                    segments.customer_id
            ) as identity_rank
        from predictions.customer_microsegments as segments
        left join predictions.customer_ltv as value
            on value.customer_id = segments.customer_id
            and value.as_of_date = segments.as_of_date
            and value.horizon_days = {horizon}
        -- A slice made before that horizon was predicted has no value, which is not a value of 0.
        left join (
            select distinct as_of_date from predictions.customer_ltv where horizon_days = {horizon}
        ) as valued on valued.as_of_date = segments.as_of_date
        left join identity.superseded as superseded
            on superseded.old_customer_id = segments.customer_id
        where segments.as_of_date in ({days}) and {whose}
    ) as written where identity_rank = 1
"""
PROMOTED = """
    select as_of_date from models.promoted_dates
    where is_promoted and as_of_date < ?
    and as_of_date in (select as_of_date from predictions.customer_microsegments)
    order by as_of_date
"""
REFITS = """
    select distinct as_of_date from predictions.customer_microsegments
    where former_model_version_id is not null and as_of_date > ? and as_of_date <= ?
    and (as_of_date = ? or as_of_date in
        (select as_of_date from models.promoted_dates where is_promoted))
    order by as_of_date desc
"""


def promoted_before(warehouse: Warehouse, as_of_date: dt.date) -> list[dt.date]:
    """Promoted slices before a date, ascending."""
    return [row[0] for row in warehouse.connection.execute(PROMOTED, [as_of_date]).fetchall()]


def periods_ending(as_of_date: dt.date, promoted: Collection[dt.date]) -> dict[str, dt.date]:
    """Periods that end at a date, each with the promoted date it starts from.

    Always the step from the latest promoted date before, named by its length: a day, a week, a
    month (from the same day of the month before, or from month-end to month-end), else irregular.
    At the end of a month also from the end of the month before, and on a Sunday from the Sunday
    before, when these are promoted.
    """
    earlier = {date for date in promoted if date < as_of_date}
    if not earlier:
        return {}
    latest = max(earlier)
    found = {_length(latest, as_of_date): latest}
    week = as_of_date - dt.timedelta(days=7)
    if as_of_date.isoweekday() == 7 and week in earlier:
        found["week"] = week
    if _is_month_end(as_of_date):
        month = as_of_date.replace(day=1) - dt.timedelta(days=1)
        if month in earlier:
            found["month"] = month
    return found


def date_ahead(as_of_date: dt.date, period: str, count: int) -> dt.date:
    """The date `count` periods after another; month-ends stay month-ends."""
    if period != "month":
        return as_of_date + dt.timedelta(days=count * {"day": 1, "week": 7}[period])
    later = pd.Timestamp(as_of_date) + pd.DateOffset(months=count)
    if _is_month_end(as_of_date):
        later = later + pd.offsets.MonthEnd(0)
    return later.date()


def count_moves(
    warehouse: Warehouse, from_date: dt.date, to_date: dt.date, level: str, horizon_days: int
) -> pd.DataFrame:
    """Customers of every path between two dates, and the value they carry.

    Where somebody would stand at the end had there been no refit is found backwards: from today's
    key, at each refit of the period, to the key the former fit gave them there, if theirs was
    still today's. The step from the key at the start to that place is behaviour, the step from it
    to today's key is refit. Value moves with it: a refit moves it by the difference of the two
    value models on the day of the refit.

    Parameters
    ----------
    level
        A key of `LEVELS`.
    horizon_days
        Horizon of the predicted revenue that is carried.

    Returns
    -------
    DataFrame
        cause, from_key, to_key, from_stage, to_stage, customers_count, value_before_amount,
        value_after_amount; from_key NULL for who came, to_key NULL for who went. Both causes list
        those who stayed too, so that behaviour leads from the sizes at the start to sizes by the
        former fits, and refit from these to today's sizes.
    """
    sql = moves_sql(warehouse.connection, from_date, to_date, level, horizon_days)
    return warehouse.frame(sql)


def moves_sql(
    connection: duckdb.DuckDBPyConnection,
    from_date: dt.date,
    to_date: dt.date,
    level: str,
    horizon_days: int,
    whose: str = "true",
) -> str:
    """The query of `count_moves`, of the customers for whom a condition on `segments` holds."""
    refits = [
        row[0] for row in connection.execute(REFITS, [from_date, to_date, to_date]).fetchall()
    ]
    key = LEVELS[level]
    days = ", ".join(f"date '{day}'" for day in sorted({from_date, to_date, *refits}))
    parts = [
        f"persons as ({PERSONS.format(horizon=int(horizon_days), days=days, whose=whose)})",
        f"start as (select * from persons where as_of_date = date '{from_date}')",
        f"walk_0 as (select customer_id, {key} as to_key, stage as to_stage, value as to_value, "
        f"{key} as key, stage, value from persons where as_of_date = date '{to_date}')",
    ]
    for number, refit in enumerate(refits):
        parts.append(
            f"walk_{number + 1} as (select walk.customer_id, to_key, to_stage, to_value, "
            f"case when refit.{key} = walk.key then refit.former_{key} else walk.key end as key, "
            f"case when refit.{key} = walk.key then refit.former_stage else walk.stage end "
            "as stage, walk.value - coalesce(refit.value - refit.former_value, 0) as value "
            f"from walk_{number} as walk left join persons as refit "
            f"on refit.customer_id = walk.customer_id and refit.as_of_date = date '{refit}')"
        )
    shown = "cause, from_key, to_key, from_stage, to_stage"
    return f"""
        with {", ".join(parts)},
        moves as (
            select '{BEHAVIOUR}' as cause, start.{key} as from_key, walk.key as to_key,
                start.stage as from_stage, walk.stage as to_stage,
                case when start.customer_id is null then 0 else start.value end as value_before,
                case when walk.customer_id is null then 0 else walk.value end as value_after
            from start full join walk_{len(refits)} as walk
                on walk.customer_id = start.customer_id
            union all
            select '{REFIT}', key, to_key, stage, to_stage, value, to_value
            from walk_{len(refits)}
        )
        select {shown}, count(*) as customers_count,
            {AMOUNT.format("value_before")} as value_before_amount,
            {AMOUNT.format("value_after")} as value_after_amount
        from moves group by {shown}
        order by cause, from_key nulls first, to_key nulls last, from_stage, to_stage
    """


def _length(start: dt.date, end: dt.date) -> str:
    days = (end - start).days
    if days in (1, 7):
        return {1: "day", 7: "week"}[days]
    return "month" if date_ahead(start, "month", 1) == end else IRREGULAR


def _is_month_end(day: dt.date) -> bool:
    return (day + dt.timedelta(days=1)).day == 1
