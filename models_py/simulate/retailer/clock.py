"""The shop's busy and quiet days: an operational clock per hidden segment.

Add here what makes time run faster or slower for everyone or for a segment.
Who buys, and how often on that clock, stays out and lives in ``purchases``.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from models_py.simulate.retailer.settings import (
    HISTORY_DAYS,
    MONTH_SHOCK_SD,
    SEGMENTS,
    TIME_ZONE,
)

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Clock:
    """Calendar and operational time.

    Attributes
    ----------
    start_day : int
        First day of data, in days since 1970; day numbers elsewhere count from it.
    cumulative : ndarray (segment, day + 1)
        Operational days elapsed at the start of each calendar day; its mean speed is 1.
    """

    start_day: int
    cumulative: np.ndarray

    @property
    def days(self) -> int:
        """Calendar days covered."""
        return self.cumulative.shape[1] - 1

    @property
    def end_seconds(self) -> int:
        """Last second of the last day, UTC, since 1970."""
        return (self.start_day + self.days) * SECONDS_PER_DAY - 1

    def operational(self, segment: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Operational time at calendar times, both in days."""
        return self._by_segment(segment, day, inverse=False)

    def calendar(self, segment: np.ndarray, operational: np.ndarray) -> np.ndarray:
        """Calendar times, in days, at operational times."""
        return self._by_segment(segment, operational, inverse=True)

    def _by_segment(self, segment: np.ndarray, values: np.ndarray, inverse: bool) -> np.ndarray:
        result = np.empty(len(values))
        grid = np.arange(self.days + 1, dtype=float)
        for number, cumulative in enumerate(self.cumulative):
            rows = np.flatnonzero(segment == number)
            x, y = (cumulative, grid) if inverse else (grid, cumulative)
            result[rows] = np.interp(values[rows], x, y)
        return result

    def utc_seconds(self, day: np.ndarray, local_seconds: np.ndarray) -> np.ndarray:
        """Seconds since 1970 (UTC) of local times of day in the shop's time zone."""
        local = (day.astype("int64") + self.start_day) * SECONDS_PER_DAY + local_seconds
        stamps = pd.DatetimeIndex(local.astype("int64").astype("datetime64[s]"))
        zoned = stamps.tz_localize(
            TIME_ZONE, ambiguous=np.zeros(len(stamps), dtype=bool), nonexistent="shift_forward"
        )
        return zoned.tz_convert(None).to_numpy().astype("datetime64[s]").astype("int64")


def build_clock(end_date: date, rng: np.random.Generator) -> Clock:
    """Yearly season and weekend per segment, times a shock per month shared by all."""
    first = end_date - timedelta(days=HISTORY_DAYS - 1)
    calendar = pd.date_range(first, end_date, freq="D")
    month = calendar.month.to_numpy() - 1
    weekday = calendar.dayofweek.to_numpy()
    month_number = calendar.year.to_numpy() * 12 + month
    shock = np.exp(rng.normal(0, MONTH_SHOCK_SD, month_number.max() - month_number.min() + 1))
    speed = np.empty((len(SEGMENTS), len(calendar)))
    for number, segment in enumerate(SEGMENTS):
        # Friday counts as half a weekend day; shops open for few hours on Sundays.
        weekend = np.array([1, 1, 1, 1, (1 + segment.weekend_factor) / 2, segment.weekend_factor])
        by_weekday = np.append(weekend, 0.35 + 0.4 * (1 - segment.store_share))
        speed[number] = np.asarray(segment.season)[month] * by_weekday[weekday]
    speed *= shock[month_number - month_number.min()]
    speed /= speed.mean(axis=1, keepdims=True)
    cumulative = np.concatenate([np.zeros((len(SEGMENTS), 1)), speed.cumsum(axis=1)], axis=1)
    return Clock((first - date(1970, 1, 1)).days, cumulative)
