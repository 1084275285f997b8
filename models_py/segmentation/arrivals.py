"""Newcomers of the periods to come: how many, and where they are first seen.

Add here what is known of newcomers before they come.
Where those go who are customers already is in `migration_forecast`.
"""

from __future__ import annotations

import numpy as np

LOG_STEP = 0.5  # added to counts before logarithms, so that a period without newcomers has one
DESTINATION = 0.5  # prior customers by key of the split (Jeffreys)
MAX_STEP = 3.0
WANDERING_SHARE = 0.5
"""Part of the one-step variance that moves the level for good; the rest is of one period."""


class ArrivalForecast:
    """Counts of newcomers around a recent level that wanders.

    Generative story: the log level of newcomers does a random walk, a period's count is Poisson
    around it with a shock of its own, and newcomers spread over keys by Dirichlet-multinomial
    shares. The level is an exponentially weighted mean; the spread of steps is that of past
    one-period errors of this very mean plus an assumed one worth some periods, drawn as t.

    Parameters
    ----------
    half_life : float
        Periods after which a past count weighs half.
    prior_periods, prior_scale : float
        Periods that the assumed spread is worth, and that spread on the log scale.
    """

    def __init__(self, half_life: float, prior_periods: float, prior_scale: float) -> None:
        self.half_life = half_life
        self.prior_periods = prior_periods
        self.prior_scale = prior_scale

    def fit(self, arrivals: np.ndarray) -> ArrivalForecast:
        """Learn level, spread and split from counts (period, key), oldest first."""
        arrivals = np.asarray(arrivals, dtype="float64")
        total = arrivals.sum(axis=1)
        levels = np.array([self._level(total[: end + 1]) for end in range(len(total))])
        errors = np.log((total[1:] + LOG_STEP) / (levels[:-1] + LOG_STEP))
        # What a Poisson count does by chance is drawn again and must not count twice.
        noise = 1.0 / (levels[:-1] + LOG_STEP)
        self.freedom_ = self.prior_periods + len(errors)
        beyond = np.maximum(errors**2 - noise, 0.0).sum()
        self.scale_ = float(
            np.sqrt((self.prior_periods * self.prior_scale**2 + beyond) / self.freedom_)
        )
        self.level_ = float(levels[-1])
        self.split_ = self._weights(len(total)) @ arrivals + DESTINATION * (
            arrivals.sum(axis=0) > 0
        )
        if not self.split_.any():
            self.split_ = np.ones(arrivals.shape[1])
        return self

    def paths(self, periods: int, draws: int, rng: np.random.Generator) -> np.ndarray:
        """Draw newcomers (draw, period, key); nobody comes where nobody ever came."""
        t_scale = self.scale_ * np.sqrt(self.freedom_ / rng.chisquare(self.freedom_, draws))
        walk = np.cumsum(rng.normal(size=(draws, periods)), axis=1) * np.sqrt(WANDERING_SHARE)
        own = rng.normal(size=(draws, periods)) * np.sqrt(1.0 - WANDERING_SHARE)
        step = np.clip(t_scale[:, None] * (walk + own), -MAX_STEP, MAX_STEP)
        count = rng.poisson(self.level_ * np.exp(step))
        share = rng.standard_gamma(np.broadcast_to(self.split_, (draws, len(self.split_))))
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
        paths: np.ndarray = rng.multinomial(count, share[:, None, :])
        return paths

    def _weights(self, count: int) -> np.ndarray:
        weights: np.ndarray = 0.5 ** (np.arange(count)[::-1] / self.half_life)
        return weights

    def _level(self, total: np.ndarray) -> float:
        weights = self._weights(len(total))
        return float(weights @ total / weights.sum())
