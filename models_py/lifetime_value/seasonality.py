"""A clock that runs faster in busy weeks: calendar seasonality by operational time.

Add here how dates, histories and horizons are read on the season's clock.
How the season is estimated is in `season_fit`; the purchase models know nothing of either: they get
times from the clock instead of the calendar.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.frames import PURCHASE_GROUPS, require_columns, require_complete, to_float

WEEKS_OF_YEAR = 52
PART = "season"  # `model` of its rows in models.model_parameters


@dataclass(frozen=True)
class OperationalClock:
    """Days count as many operational days as their week of the year is busy.

    Purchases follow a Poisson process whose rate is the customer's own times the index of the day.
    Measured in operational days it is a process of constant rate, so that the purchase models hold
    for (x, t_x, T) on this clock. Customers who leave at a purchase (MBG/NBD, BG/NBD) do so
    likewise on either clock; lifetimes of Pareto/NBD run on this one.

    Attributes
    ----------
    index : ndarray (52,)
        Mean 1 over the year; the last week of the year has 8 or 9 days.
    gain : float
        Log-likelihood that the index of all earlier seasons wins over no index in the last season,
        over its dispersion; `season_fit.find_clock` says what is worth a clock.

    References
    ----------
    Operational time: Daley & Vere-Jones (2003), section 7.4.
    """

    index: np.ndarray
    gain: float

    def of_days(self, dates: pd.DatetimeIndex) -> np.ndarray:
        """The index of each date (date,)."""
        found: np.ndarray = self.index[week_of_year(dates)]
        return found

    def _elapsed(
        self, as_of_date: dt.date, first: float, last: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whole days after `as_of_date`, from `first` to `last`, and operational days by then.

        Both count from the as-of date, backwards and forwards, so that a customer's times have the
        same bits whoever else is in the batch.
        """
        past, ahead = int(np.ceil(max(-first, 1.0))), int(np.ceil(max(last, 1.0)))
        # The day that ends at number n is as_of_date + n.
        dates = pd.date_range(
            pd.Timestamp(as_of_date) - pd.Timedelta(days=past - 1), periods=past + ahead
        )
        speed = self.of_days(dates)
        before = -np.cumsum(speed[:past][::-1])[::-1]
        elapsed = np.concatenate([before, [0.0], np.cumsum(speed[past:])])
        return np.arange(-past, ahead + 1, dtype="float64"), elapsed

    def operational_days(
        self, as_of_date: dt.date, from_days: np.ndarray, to_days: np.ndarray
    ) -> np.ndarray:
        """Operational days from one moment to another, both in days after `as_of_date`.

        Day 0 is the end of `as_of_date`; negative days are past. Parts of days count in part.
        """
        both = np.concatenate([np.atleast_1d(from_days), np.atleast_1d(to_days), [0.0]])
        grid, elapsed = self._elapsed(as_of_date, float(both.min()), float(both.max()))
        read: np.ndarray = np.interp(to_days, grid, elapsed) - np.interp(from_days, grid, elapsed)
        return read

    def calendar_days(
        self, as_of_date: dt.date, operational_days: np.ndarray, longest_days: float
    ) -> np.ndarray:
        """Days after `as_of_date` by which so many operational days have passed.

        Exact up to `longest_days`; farther ahead an operational day counts as a day, as on average.
        """
        grid, elapsed = self._elapsed(as_of_date, 0.0, longest_days)
        beyond = np.maximum(operational_days - elapsed[-1], 0.0)
        read: np.ndarray = np.interp(operational_days, elapsed, grid) + beyond
        return read

    def histories(
        self, as_of_date: dt.date, active_span_days: np.ndarray, tenure_days: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Span and tenure of customers on the clock, both (customer,) in operational days."""
        first = -np.asarray(tenure_days, dtype="float64")
        last = first + np.asarray(active_span_days, dtype="float64")
        tenure = self.operational_days(as_of_date, first, np.zeros(len(first)))
        span = self.operational_days(as_of_date, first, last)
        return np.minimum(span, tenure), tenure

    def horizons(self, as_of_date: dt.date, horizons_days: np.ndarray) -> np.ndarray:
        """The next `horizons_days` after the date, in operational days, (horizon,)."""
        ahead = np.asarray(horizons_days, dtype="float64")
        return self.operational_days(as_of_date, np.zeros(len(ahead)), ahead)

    def groups(self, purchase_groups: pd.DataFrame, as_of_date: dt.date | None) -> pd.DataFrame:
        """Rows of `frames.PURCHASE_GROUPS` as of a date, their spans and tenures on the clock.

        Customers alike in days are alike on the clock, so that rows stay as many as they were.
        """
        if as_of_date is None:
            raise ValueError("a clock needs the as_of_date of the purchase groups. Pass both.")
        table = "purchase groups"
        require_columns(purchase_groups, PURCHASE_GROUPS, table)
        require_complete(
            purchase_groups, PURCHASE_GROUPS, table, "Group customers with a purchase only."
        )
        span, tenure = self.histories(
            as_of_date,
            to_float(purchase_groups["active_span_days"], table),
            to_float(purchase_groups["tenure_days"], table),
        )
        return purchase_groups.assign(active_span_days=span, tenure_days=tenure)

    def to_rows(self) -> pd.DataFrame:
        """The clock as rows of models.model_parameters: model, draw, parameter, value."""
        values = dict(zip(_names(), self.index, strict=True)) | {"gain": self.gain}
        return pd.DataFrame(
            {"model": PART, "draw": 0, "parameter": list(values), "value": list(values.values())}
        )

    @classmethod
    def from_rows(cls, rows: pd.DataFrame) -> OperationalClock:
        """The clock of `to_rows`, in any order.

        Raises
        ------
        ValueError
            When a week is missing, occurs twice, or has no positive index.
        """
        value = rows.set_index("parameter")["value"].astype("float64")
        names = [*_names(), "gain"]
        if sorted(map(str, value.index)) != sorted(names) or not (value[names[:-1]] > 0).all():
            raise ValueError(
                f"model_parameters lack weeks of the {PART}, or repeat them, or hold an index that "
                "is not above 0. Select all rows of one model_version_id."
            )
        return cls(value[names[:-1]].to_numpy(), float(value["gain"]))


def _names() -> list[str]:
    return [f"index_week_{week:02d}" for week in range(1, WEEKS_OF_YEAR + 1)]


def week_of_year(dates: pd.DatetimeIndex) -> np.ndarray:
    """0 to 51; the same dates are in the same week every year, but for 29 February."""
    weeks: np.ndarray = np.minimum((dates.dayofyear.to_numpy() - 1) // 7, WEEKS_OF_YEAR - 1)
    return weeks
