"""As-of dates as Dagster partitions, and which of them a run builds.

Add a rule here when a new kind of calendar of as-of dates is needed. What is computed for a date
stays in assets.
"""

from __future__ import annotations

import calendar
import datetime as dt

import dagster as dg

# East of UTC a business day ends before the UTC day does, hence the offset of one.
AS_OF_DATES = dg.DailyPartitionsDefinition(start_date="1997-01-01", timezone="UTC", end_offset=1)
# One run per date everywhere: a range run over dates would let dbt and Python disagree on the
# slice.
ONE_RUN_PER_DATE = dg.BackfillPolicy.multi_run(1)


def month_ends_before(day: dt.date, count: int) -> list[dt.date]:
    """The last ``count`` month-ends strictly before ``day``, ascending."""
    ends: list[dt.date] = []
    year, month = day.year, day.month
    while len(ends) < count:
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
        ends.append(dt.date(year, month, calendar.monthrange(year, month)[1]))
    return ends[::-1]


def dates_before(day: dt.date, every: str, count: int) -> list[dt.date]:
    """``count`` earlier as-of dates, ``every`` day, week or month, ascending."""
    if every == "month":
        return month_ends_before(day, count)
    step = {"day": 1, "week": 7}[every]
    return [day - dt.timedelta(days=step * back) for back in range(count, 0, -1)]
