"""What totals miss beyond parameters and chance: months differ in ways no customer model knows.

Add here how past misses of totals widen the intervals of future totals.
Draws of totals come from `totals.GroupTotals`; single customers need none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models_py import posterior

PRIOR_BLOCKS = 4
PRIOR_SCALE = 0.07
# However well past totals were met, the next month may be the first of another kind.
LEAST_SCALE = 0.02
_REPEATS = 20


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


def blocks_up_to(past: Sequence[PastTotal], horizon_days: int, today: int) -> list[list[PastTotal]]:
    """Past totals over windows no longer than the horizon, one list for each length.

    Within a length, windows have ended by `today` and do not overlap; from the latest backwards.
    Totals that are not positive (a shop not yet open) are left out.
    """
    lengths = sorted({total.horizon_days for total in past if total.horizon_days <= horizon_days})
    chosen = []
    for length in lengths:
        blocks, first_start = [], today
        for total in sorted(past, key=lambda total: -total.origin_day):
            fits = total.horizon_days == length and total.origin_day + length <= first_start
            if fits and min(total.actual, total.predicted) > 0:
                blocks.append(total)
                first_start = total.origin_day
        chosen.append(blocks)
    return [blocks for blocks in chosen if blocks]


def chance_of(draws: np.ndarray) -> float:
    """Standard deviation of ln(total) over draws (draw,): what parameters and chance explain."""
    return float(np.log(np.maximum(draws, 1.0)).std())


@dataclass(frozen=True)
class TotalDiscrepancy:
    """Student t of ln(actual / predicted) totals, around 0, beside parameters and chance.

    Attributes
    ----------
    degrees_of_freedom : float
        4 + n for n past blocks.
    scale : float
        Square root of (4 x 0.07^2 + sum of (delta^2 - chance^2)) / (4 + n), at least 0.02.
    blocks_count : int
        Blocks of the longest length that has any: what the horizon itself has been tested on.
    """

    degrees_of_freedom: float
    scale: float
    blocks_count: int

    @classmethod
    def learn(
        cls,
        actual: Sequence[float],
        predicted: Sequence[float],
        chance: Sequence[float] | float = 0.0,
        blocks_count: int | None = None,
    ) -> TotalDiscrepancy:
        """Learn from totals over past blocks, none longer than the horizon (`blocks_up_to`).

        Blocks of every length count alike: what months differ by hardly averages out over longer
        horizons, and the shorter blocks are many. What parameters and chance explain of a miss is
        taken out, because the draws that are widened have it already. Without blocks the scale is
        7 %, with 4 degrees of freedom. The location stays 0: a mean shift learned from a handful
        of blocks misleads more than it corrects.

        Parameters
        ----------
        actual, predicted : sequence of float
        chance : sequence of float or float
            `chance_of` each block.
        blocks_count : int, optional
            Reported as `blocks_count`; the number of totals unless given.

        Raises
        ------
        ValueError
            When a total is not positive, or the two have different lengths.
        """
        observed = np.asarray(actual, dtype="float64")
        expected = np.asarray(predicted, dtype="float64")
        if observed.shape != expected.shape:
            raise ValueError(
                f"{observed.size} actual totals stand against {expected.size} predicted ones. "
                "Pass one of each per block."
            )
        if not ((observed > 0).all() and (expected > 0).all()):
            raise ValueError(
                "past block totals must be above 0, both actual and predicted. Leave out blocks "
                "before the shop opened, or use longer ones."
            )
        delta = np.log(observed / expected)
        known = np.broadcast_to(np.asarray(chance, dtype="float64"), delta.shape)
        blocks = int(delta.size)
        unexplained = float(np.sum(delta**2 - known**2))
        variance = (PRIOR_BLOCKS * PRIOR_SCALE**2 + unexplained) / (PRIOR_BLOCKS + blocks)
        return cls(
            PRIOR_BLOCKS + blocks,
            float(np.sqrt(max(variance, LEAST_SCALE**2))),
            blocks if blocks_count is None else blocks_count,
        )

    @classmethod
    def of_horizon(
        cls,
        past: Sequence[PastTotal],
        horizon_days: int,
        today: int,
        draws: dict[int, np.ndarray],
    ) -> TotalDiscrepancy:
        """Learn the discrepancy of one horizon from all past totals of a quantity.

        The chance in a past block is that of today's draws at its length, its variance in inverse
        proportion to the total: a shop half as large is worth half as many customers.

        Parameters
        ----------
        past : sequence of PastTotal
        horizon_days, today : int
        draws : dict of int to ndarray (draw,)
            Today's totals by horizon. A length that is not predicted today counts as free of
            chance.
        """
        by_length = blocks_up_to(past, horizon_days, today)
        blocks = [block for blocks in by_length for block in blocks]
        chance = [
            chance_of(draws[block.horizon_days])
            * float(np.sqrt(draws[block.horizon_days].mean() / block.predicted))
            if block.horizon_days in draws
            else 0.0
            for block in blocks
        ]
        return cls.learn(
            [block.actual for block in blocks],
            [block.predicted for block in blocks],
            chance,
            len(by_length[-1]) if by_length else 0,
        )

    def apply(self, draws: np.ndarray, random_state: int) -> np.ndarray:
        """Multiply draws of totals by discrepancies, 20 of them for each draw.

        One discrepancy is shared by all other axes (horizons, segments): a good month is good for
        everyone, so the sum over segments stays the draw of the total.

        Parameters
        ----------
        draws : ndarray (draw, ...)
        random_state : int

        Returns
        -------
        ndarray (20 x draw, ...)
        """
        generator = np.random.default_rng([random_state, int(self.degrees_of_freedom)])
        repeated = np.repeat(draws, _REPEATS, axis=0)
        delta = self.scale * generator.standard_t(self.degrees_of_freedom, size=len(repeated))
        return repeated * np.exp(delta).reshape(-1, *[1] * (draws.ndim - 1))

    def summarise(self, draws: np.ndarray, prefix: str, random_state: int) -> dict[str, np.ndarray]:
        """Mean and quantiles of totals with discrepancy, ``<prefix>_mean`` to ``<prefix>_p95``.

        The mean is that of the draws themselves: the exponential of a Student t has no mean, and
        a discrepancy around 0 shifts nothing.

        Parameters
        ----------
        draws : ndarray (draw, group or horizon)
        prefix : str
        random_state : int

        Returns
        -------
        dict of str to ndarray (group or horizon,)
        """
        widened = self.apply(draws, random_state)
        return {
            f"{prefix}_mean": draws.mean(axis=0),
            **posterior.quantiles(widened, prefix, axis=0),
        }
