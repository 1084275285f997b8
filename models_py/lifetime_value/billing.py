"""When contracts renew: calendar months where the billing period is one, days otherwise.

Add here what turns dates into renewals. How long contracts last is in `contracts`.
"""

from __future__ import annotations

import numpy as np

_MONTH_DAYS = 365.25 / 12.0
_TOLERANCE = 0.03
_DAY, _MONTH = "datetime64[D]", "datetime64[M]"


def whole_months(period_days: float) -> int:
    """Months of a billing period, or 0 when it is counted in days.

    30, 30.44, 91 or 365 days stand for one, one, three and twelve calendar months: anything within
    3 % of a whole number of them. 7, 14 or 28 days are days.
    """
    months = round(period_days / _MONTH_DAYS)
    if months and abs(period_days / (months * _MONTH_DAYS) - 1.0) <= _TOLERANCE:
        return months
    return 0


def renewals_until(start: np.ndarray, until: np.ndarray, period_days: float) -> np.ndarray:
    """Renewals on or before a day, of contracts that start on `start`; datetime64[D], (contract,).

    A contract of the 31st renews on the last day of shorter months. NaN where a date is missing or
    `until` is before the start.
    """
    start, until = start.astype(_DAY), until.astype(_DAY)
    is_known = ~(np.isnat(start) | np.isnat(until))
    start, until = start[is_known], until[is_known]
    months = whole_months(period_days)
    if months:
        gap = (until.astype(_MONTH) - start.astype(_MONTH)).astype("int64")
        passed = (gap - (until < _add_months(start, gap))) // months
    else:
        passed = np.floor((until - start).astype("int64") / period_days)
    count = np.full(len(is_known), np.nan)
    count[is_known] = np.where(until < start, np.nan, passed)
    return count


def renewal_dates(start: np.ndarray, renewals: np.ndarray, period_days: float) -> np.ndarray:
    """Day of the renewal of each number, datetime64[D]; `start` and `renewals` broadcast.

    A period of a fraction of days renews on the first day that is wholly after it.
    """
    months = whole_months(period_days)
    if months:
        return _add_months(start.astype(_DAY), months * renewals.astype("int64"))
    days = np.ceil(renewals * period_days).astype("int64")
    return np.asarray(start.astype(_DAY) + days.astype("timedelta64[D]"))


def _add_months(start: np.ndarray, months: np.ndarray) -> np.ndarray:
    """The same day of a later month, or its last one where the month is shorter."""
    month = start.astype(_MONTH)
    later = month + months.astype("timedelta64[M]")
    day = start - month.astype(_DAY)
    last = (later + np.timedelta64(1, "M")).astype(_DAY) - np.timedelta64(1, "D")
    return np.asarray(np.minimum(later.astype(_DAY) + day, last))
