"""Made-up shops whose weeks differ in known ways, forecast by the mean of their last 39 weeks.

Add here a way in which months of a shop can differ. What intervals are made of its past totals, and
which are best, is discrepancy.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

HORIZONS_WEEKS = (4, 8, 12, 26, 52)
STEP_WEEKS = 4
MEMORY_WEEKS = 39  # what a fit remembers, so how long a break lasts
SIZES = (0.05, 0.15, 0.35)
DRAWS = 100
NORMAL = np.sort(np.random.default_rng(1).standard_normal(100_000)).reshape(DRAWS, -1).mean(axis=1)
# With a size each; "chance alone" has none.
KINDS = (
    "months",
    "persistent months",
    "seasons",
    "random walk",
    "bias that stays",
    "misfit that grows",
    "freak months",
    "a break",
    "a large break",
)


def worlds(count: int, random_state: int, weeks: int | None = None) -> Iterator[pd.DataFrame]:
    """`count` shops of every kind and size, the same for everyone who asks."""
    chance = np.random.default_rng(random_state)
    for kind, size in [("chance alone", 0.0), *((kind, size) for kind in KINDS for size in SIZES)]:
        for number in range(count):
            yield world(kind, size, chance, weeks).assign(kind=kind, size=size, number=number)


def world(
    kind: str, size: float, chance: np.random.Generator, weeks: int | None = None
) -> pd.DataFrame:
    """Forecasts of one shop from every fourth week.

    Parameters
    ----------
    kind : str
        One of `KINDS`, or "chance alone".
    size : float
        Standard deviation of the logarithm of a month, about.
    weeks : int, optional
        Length of its history; 52, 78 or 110 by chance.

    Returns
    -------
    DataFrame
        day, horizon_days, actual (missing where not over), predicted, draws (over predicted),
        weeks_after_break (below 0 before one, and where none comes).
    """
    weeks = int(chance.choice([52, 78, 110])) if weeks is None else weeks
    noise = float(chance.choice([0.03, 0.08, 0.15])) * np.sqrt(30 / 7)  # of a week, by chance
    time = np.arange(weeks + max(HORIZONS_WEEKS))
    months = _monthly(chance.standard_normal(len(time)))
    level, bias, drift, broken_at = size * months, 0.0, 0.0, len(time)
    if kind == "persistent months":
        level = size * _persistent(chance, len(time))
    elif kind == "seasons":
        level = size * (1.4 * np.sin(2 * np.pi * (time / 52 + chance.random())) + 0.3 * months)
    elif kind == "random walk":
        level = size * np.cumsum(chance.standard_normal(len(time))) / np.sqrt(26)
    elif kind == "bias that stays":
        level, bias = 0.3 * level, size * chance.choice([-1, 1])
    elif kind == "misfit that grows":
        level, drift = 0.3 * level, 1.5 * size * chance.choice([-1, 1])
    elif kind == "freak months":
        is_freak = chance.random(len(time)) < 1 / 12
        level = 0.3 * level + _monthly(is_freak * _jump(chance, len(time)))
    elif kind in ("a break", "a large break"):
        broken_at = int(chance.integers(20, weeks - MEMORY_WEEKS // 2))
        size_of_break = 2 * size * chance.choice([-1, 1]) if kind == "a break" else _jump(chance)
        level = 0.3 * level + size_of_break * (time >= broken_at)
    seen = level + noise * chance.standard_normal(len(time))
    rows = []
    for origin in range(13, weeks - STEP_WEEKS, STEP_WEEKS):
        memory = min(origin, MEMORY_WEEKS)
        guess = seen[origin - memory : origin].mean()
        for length in HORIZONS_WEEKS:
            ahead = np.exp(seen[origin : origin + length] - guess + bias + drift * length / 52)
            rows.append(
                {
                    "day": 7 * origin,
                    "horizon_days": 7 * length,
                    "actual": 7 * ahead.sum() if origin + length <= weeks else np.nan,
                    # The model knows the mean of its own noise.
                    "predicted": 7 * length * np.exp(noise**2 / 2),
                    "draws": np.exp(noise * np.sqrt(1 / length + 1 / memory) * NORMAL),
                    "weeks_after_break": origin - broken_at,
                }
            )
    return pd.DataFrame(rows)


def _monthly(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, STEP_WEEKS)[: len(values)]


def _jump(chance: np.random.Generator, count: int = 1) -> np.ndarray:
    """Logarithm of a factor between 2 and 10, up or down."""
    return chance.choice([-1, 1], count) * chance.uniform(np.log(2), np.log(10), count)


def _persistent(chance: np.random.Generator, weeks: int) -> np.ndarray:
    level = [chance.standard_normal()]
    for _ in range(weeks // STEP_WEEKS):
        level.append(0.7 * level[-1] + np.sqrt(1 - 0.7**2) * chance.standard_normal())
    return np.repeat(level, STEP_WEEKS)[:weeks]
