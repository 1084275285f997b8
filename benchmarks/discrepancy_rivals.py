"""Other ways to make the interval of a total: what the published one is compared with.

Add here a rival, as a function of what was known on the day. How they are scored is discrepancy.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from models_py.lifetime_value import TotalDiscrepancy
from models_py.lifetime_value.past_blocks import Miss

TAILS = (0.025, 0.975)
POINTS = 2000
UNIFORM = (np.random.default_rng(2).permutation(POINTS) + 0.5) / POINTS
STUDENT = {df: stats.t.ppf(UNIFORM, df) for df in range(1, 200)}
SHIFTED_AFTER, SHIFT = 8, 0.8


@dataclass(frozen=True)
class Known:
    """What is known on the day of a forecast; ``ratios`` are draws over the predicted total."""

    day: int
    horizon_days: int
    misses: Sequence[Sequence[Miss]]
    ratios: np.ndarray


def noise_only(known: Known) -> tuple[float, float]:
    """Parameters and chance alone."""
    low, high = np.quantile(known.ratios, TAILS)
    return float(low), float(high)


def constant(known: Known) -> tuple[float, float]:
    """Plus or minus 20 %."""
    return 0.8, 1.2


def minimal(known: Known) -> tuple[float, float]:
    """The construction to beat: blocks of the longest tested length, all of their misses, 10 %."""
    blocks = known.misses[-1] if known.misses else []
    freedom = 4 + len(blocks)
    squares = sum(miss.log_ratio**2 for miss in blocks)
    return _student(known, freedom, np.sqrt((4 * 0.10**2 + squares) / freedom))


def before(known: Known) -> tuple[float, float]:
    """What was published before: a Student t by all blocks, less what chance explains, from 7 %."""
    blocks = [miss for blocks in known.misses for miss in blocks]
    freedom = 4 + len(blocks)
    squares = sum(miss.log_ratio**2 - miss.chance**2 for miss in blocks)
    scale = np.sqrt(max((4 * 0.07**2 + squares) / freedom, 0.02**2))
    return _student(known, freedom, scale)


def shifted(known: Known) -> tuple[float, float]:
    """The published one around four fifths of the mean of eight misses of one sign, where so."""
    shift = 0.0
    for blocks in known.misses:
        latest = np.array([miss.log_ratio for miss in blocks[:SHIFTED_AFTER]])
        if len(latest) == SHIFTED_AFTER and abs(np.sign(latest).sum()) == SHIFTED_AFTER:
            shift = SHIFT * latest.mean()
    moved = [
        [replace(miss, log_ratio=miss.log_ratio - shift) for miss in blocks]
        for blocks in known.misses
    ]
    drawn = TotalDiscrepancy.learn(moved, known.day).apply(known.ratios, 1)
    low, high = np.exp(shift) * np.quantile(drawn, TAILS)
    return float(low), float(high)


def _student(known: Known, freedom: int, scale: float) -> tuple[float, float]:
    ratios = np.resize(known.ratios, POINTS) * np.exp(scale * STUDENT[freedom])
    low, high = np.quantile(ratios, TAILS)
    return float(low), float(high)
