"""What totals miss beyond parameters and chance: months differ in ways no customer model knows.

Add here how past misses of totals widen the intervals of future totals. Which past totals count is
past_blocks.py; whether the widened interval is to be believed, total_status.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from models_py import posterior
from models_py.lifetime_value.past_blocks import Miss, PastTotal, misses_up_to

_SCALES_COUNT = 24
_REPEATS = 20
_STEPS = 1001


@dataclass(frozen=True)
class Assumptions:
    """What is believed of misses before any is seen, and for how long one is remembered.

    Chosen in simulated worlds by benchmarks/discrepancy.py, which alone tries others.

    Attributes
    ----------
    prior_scale : float
        Of the half-Cauchy: the median of the scale before any block is seen, bounds apart.
    least_scale, greatest_scale : float
        Of the greatest, the central 95 % reach from 0.38 to 2.7 times the forecast, no farther.
    half_life_days : float
        Age at which a block counts half.
    overlap : float
        1: blocks of L lengths that lie over each other count 1 / L each; 0: each counts in full.
    forgets_breaks : bool
        Whether blocks up to a far miss are forgotten once a block is no far miss.
    """

    prior_scale: float = 0.07
    least_scale: float = 0.01
    greatest_scale: float = 0.5
    half_life_days: float = 180.0
    overlap: float = 1.0
    forgets_breaks: bool = True


ASSUMPTIONS = Assumptions()


@dataclass(frozen=True)
class TotalDiscrepancy:
    """ln(actual / predicted) of totals beside parameters and chance: normal around 0.

    Its scale s is unknown: half-Cauchy before any block, between bounds, and the log ratio of a
    past block ~ Normal(0, s^2 + chance^2). The discrepancy of the next total is the mixture of
    normals over the posterior of s.

    Attributes
    ----------
    scales, weights : ndarray (scale,)
        Scales evenly spaced by their logarithm, and their posterior probabilities.
    blocks_count : int
        Blocks of the longest length that has any: what the horizon itself has been tested on.
    """

    scales: np.ndarray
    weights: np.ndarray
    blocks_count: int

    @classmethod
    def learn(
        cls,
        misses: Sequence[Sequence[Miss]],
        today: int,
        assumptions: Assumptions = ASSUMPTIONS,
    ) -> TotalDiscrepancy:
        """Learn from the misses of past blocks, one sequence for each length (`misses_up_to`).

        Blocks of several lengths lie over each other: a day is evidence once. What was before a
        break is forgotten (`since_the_break`). The location stays 0: a shift would part the
        interval from the mean, which is the sum of the customers'.

        Parameters
        ----------
        misses : sequence of sequence of Miss
            By length, each from the latest backwards.
        today : int
            Day that ages are counted from.
        assumptions : Assumptions

        Raises
        ------
        ValueError
            When a block has not ended by `today`.
        """
        late = [miss for blocks in misses for miss in blocks if miss.end_day > today]
        if late:
            raise ValueError(
                f"{len(late)} past blocks end after day {today}. Leave out what nobody knew then."
            )
        kept = since_the_break(misses) if assumptions.forgets_breaks else misses
        scales = _scales(assumptions.least_scale, assumptions.greatest_scale)
        # Half-Cauchy over even steps of ln(scale).
        logs = np.log(scales) - np.log1p((scales / assumptions.prior_scale) ** 2)
        for blocks in kept:
            ratio = np.array([miss.log_ratio for miss in blocks])
            chance = np.array([miss.chance for miss in blocks])
            age = np.array([today - miss.end_day for miss in blocks], dtype="float64")
            share = 0.5 ** (age / assumptions.half_life_days) / len(kept) ** assumptions.overlap
            variance = scales[:, None] ** 2 + chance**2  # (scale, block)
            logs = logs - (share * (ratio**2 / variance + np.log(variance))).sum(axis=1) / 2
        return cls(scales, posterior.normalised(logs), len(misses[-1]) if misses else 0)

    @classmethod
    def of_horizon(
        cls,
        past: Sequence[PastTotal],
        horizon_days: int,
        today: int,
        draws: Mapping[int, np.ndarray],
    ) -> TotalDiscrepancy:
        """Learn the discrepancy of one horizon from all past totals of a quantity.

        Parameters as of `misses_up_to`.
        """
        return cls.learn(misses_up_to(past, horizon_days, today, draws), today)

    @property
    def scale(self) -> float:
        """Standard deviation of the discrepancy."""
        return float(np.sqrt(self.weights @ self.scales**2))

    def probability_below(self, miss: Miss) -> float:
        """Forecast probability of a smaller ratio than the miss: uniform where this model holds."""
        from scipy.special import ndtr

        return float(self.weights @ ndtr(miss.log_ratio / np.hypot(self.scales, miss.chance)))

    def apply(self, draws: np.ndarray, random_state: int) -> np.ndarray:
        """Multiply draws of totals by discrepancies, 20 of them for each draw.

        One discrepancy is shared by all other axes (segments): a good month is good for everyone,
        so the sum over segments stays the draw of the total. Discrepancies are the evenly spaced
        quantiles of their law, shuffled by `random_state` alone: horizons and quantities get the
        same order, as a good month is good for all of them too.

        Parameters
        ----------
        draws : ndarray (draw, ...)
        random_state : int

        Returns
        -------
        ndarray (20 x draw, ...)
        """
        repeated = np.repeat(draws, _REPEATS, axis=0)
        count = len(repeated)
        deltas, below_by_scale = _normal_table(float(self.scales[0]), float(self.scales[-1]))
        below = self.weights @ below_by_scale
        spaced = np.interp((np.arange(count) + 0.5) / count, below, deltas)
        delta = np.random.default_rng(random_state).permutation(spaced)
        return repeated * np.exp(delta).reshape(-1, *[1] * (draws.ndim - 1))

    def summarise(self, draws: np.ndarray, prefix: str, random_state: int) -> dict[str, np.ndarray]:
        """Mean and quantiles of totals with discrepancy, ``<prefix>_mean`` to ``<prefix>_p95``.

        The mean is that of the draws themselves: a discrepancy around 0 shifts nothing.

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


def since_the_break(misses: Sequence[Sequence[Miss]]) -> list[list[Miss]]:
    """The blocks that began after the last far miss of the shortest length, once it is over.

    All of them while the latest block is a far miss (its total is refused), or where none is.
    """
    shortest = misses[0] if misses else ()
    far = [miss.origin_day for miss in shortest if miss.is_far]
    if not far or shortest[0].is_far:
        return [list(blocks) for blocks in misses]
    kept = [[miss for miss in blocks if miss.origin_day > far[0]] for blocks in misses]
    return [blocks for blocks in kept if blocks]


def _scales(least: float, greatest: float) -> np.ndarray:
    return np.geomspace(least, greatest, _SCALES_COUNT)


@cache
def _normal_table(least: float, greatest: float) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios (step,), and the probability below each at every scale (scale, step)."""
    from scipy.special import ndtr

    deltas = np.linspace(-4, 4, _STEPS) * greatest
    return deltas, ndtr(deltas / _scales(least, greatest)[:, None])
