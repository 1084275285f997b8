"""What totals miss beyond parameters and chance: months differ in ways no customer model knows.

Add here how past misses of totals widen the intervals of future totals.
Draws of totals come from `LifetimeValue.predict_totals`; single customers need none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models_py import posterior

PRIOR_BLOCKS = 4
PRIOR_SCALE = 0.10
_REPEATS = 20


@dataclass(frozen=True)
class TotalDiscrepancy:
    """Student t of ln(actual / predicted) totals, around 0.

    Attributes
    ----------
    degrees_of_freedom : int
        4 + n for n past blocks.
    scale : float
        Square root of (4 x 0.10^2 + sum of delta^2) / (4 + n).
    blocks_count : int
    """

    degrees_of_freedom: int
    scale: float
    blocks_count: int

    @classmethod
    def learn(cls, actual: Sequence[float], predicted: Sequence[float]) -> TotalDiscrepancy:
        """Learn from totals over past blocks that do not overlap, none longer than the horizon.

        Without blocks the scale is 10 %, with 4 degrees of freedom. The location stays 0: a mean
        shift learned from a handful of blocks misleads more than it corrects.

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
        blocks = int(delta.size)
        variance = (PRIOR_BLOCKS * PRIOR_SCALE**2 + float(np.sum(delta**2))) / (
            PRIOR_BLOCKS + blocks
        )
        return cls(PRIOR_BLOCKS + blocks, float(np.sqrt(variance)), blocks)

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
        generator = np.random.default_rng([random_state, self.degrees_of_freedom])
        repeated = np.repeat(draws, _REPEATS, axis=0)
        delta = self.scale * generator.standard_t(self.degrees_of_freedom, size=len(repeated))
        return repeated * np.exp(delta).reshape(-1, *[1] * (draws.ndim - 1))

    def summarise(self, draws: np.ndarray, prefix: str, random_state: int) -> dict[str, np.ndarray]:
        """Mean and quantiles of totals with discrepancy, ``<prefix>_mean`` to ``<prefix>_p95``.

        The mean is that of the draws themselves: the exponential of a Student t has no mean, and
        a discrepancy around 0 shifts nothing.

        Parameters
        ----------
        draws : ndarray (draw, horizon)
        prefix : str
        random_state : int

        Returns
        -------
        dict of str to ndarray (horizon,)
        """
        widened = self.apply(draws, random_state)
        return {
            f"{prefix}_mean": draws.mean(axis=0),
            **posterior.quantiles(widened, prefix, axis=0),
        }
