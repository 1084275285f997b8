"""Past totals against what was forecast of them, cut into blocks of time, each with its miss.

Add here which past totals count and how a miss is measured. What is learned from misses is
discrepancy.py, what they say of an interval total_status.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

# Missed by more than twice, or less than half, chance apart. No interval is widened to reach there.
FAR = float(np.log(2.0))
_CHANCE_DEVIATIONS = 2.0


@dataclass(frozen=True)
class PastTotal:
    """A total that was forecast in the past, and what became of it.

    Attributes
    ----------
    origin_day : int
        Day of the forecast, counted from anywhere.
    horizon_days : int
    actual, predicted : float
    """

    origin_day: int
    horizon_days: int
    actual: float
    predicted: float


@dataclass(frozen=True)
class Miss:
    """How far a past total was from its forecast.

    Attributes
    ----------
    origin_day, horizon_days : int
    log_ratio : float
        ln(actual / predicted).
    chance : float
        Standard deviation of ln(total) that parameters and chance explained then.
    """

    origin_day: int
    horizon_days: int
    log_ratio: float
    chance: float = 0.0

    @property
    def end_day(self) -> int:
        return self.origin_day + self.horizon_days

    @property
    def is_far(self) -> bool:
        """Whether it is more than a factor of two, and two standard deviations of chance beside."""
        return abs(self.log_ratio) > FAR + _CHANCE_DEVIATIONS * self.chance


def blocks_up_to(past: Sequence[PastTotal], horizon_days: int, today: int) -> list[list[PastTotal]]:
    """Past totals over windows no longer than the horizon, one list for each length.

    Within a length, windows have ended by `today` and do not overlap; from the latest backwards.
    Left out are totals of which nothing was forecast, and those that came to nothing before the
    first that came to something had ended (a shop not yet open). A later 0 is a miss.
    """
    positive = [total.origin_day + total.horizon_days for total in past if total.actual > 0]
    opened = min(positive, default=today)
    lengths = sorted({total.horizon_days for total in past if total.horizon_days <= horizon_days})
    chosen = []
    for length in lengths:
        blocks, first_start = [], today
        for total in sorted(past, key=lambda total: -total.origin_day):
            fits = total.horizon_days == length and total.origin_day + length <= first_start
            is_open = total.actual > 0 or total.origin_day + length > opened
            if fits and is_open and total.predicted > 0:
                blocks.append(total)
                first_start = total.origin_day
        chosen.append(blocks)
    return [blocks for blocks in chosen if blocks]


def chance_of(draws: np.ndarray) -> float:
    """Standard deviation of ln(total) over draws (draw,): what parameters and chance explain."""
    return float(np.log(np.maximum(draws, 1.0)).std())


def misses_up_to(
    past: Sequence[PastTotal], horizon_days: int, today: int, draws: Mapping[int, np.ndarray]
) -> list[list[Miss]]:
    """`blocks_up_to`, each with its miss and the chance in it.

    The chance in a past block is that of the draws at its length, its variance in inverse
    proportion to the total: a shop half as large is worth half as many customers. A total below 1
    counts as 1, as in `chance_of`, or as what was forecast where that is less.

    Parameters
    ----------
    past : sequence of PastTotal
    horizon_days, today : int
    draws : mapping of int to ndarray (draw,)
        Totals of the latest forecast by horizon. A length without draws counts as free of chance.
    """

    def chance(block: PastTotal) -> float:
        if block.horizon_days not in draws:
            return 0.0
        of_length = draws[block.horizon_days]
        return chance_of(of_length) * float(np.sqrt(of_length.mean() / block.predicted))

    return [
        [
            Miss(
                block.origin_day,
                block.horizon_days,
                float(np.log(max(block.actual, min(block.predicted, 1.0)) / block.predicted)),
                chance(block),
            )
            for block in blocks
        ]
        for blocks in blocks_up_to(past, horizon_days, today)
    ]
