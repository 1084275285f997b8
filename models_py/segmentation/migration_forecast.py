"""Sizes of stages and micro-segments some periods ahead, from counts of past movement.

Add here what makes periods differ from one another, or how newcomers are foreseen.
Rates of one period are in `migration`; counting customers is SQL, and dates are the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models_py.segmentation.arrivals import ArrivalForecast
from models_py.segmentation.migration import DEPARTED, concentration, prior_rates

LEARNED_PERIODS = 6
"""Fewer past periods than this leave the interval mostly to what is assumed."""
MAX_SHOCK = 3.0  # log scale; a factor of 20 within one period is no month any more
CELL = 0.5  # added to observed and expected counts before their ratio is taken


@dataclass(frozen=True)
class ForecastSettings:
    """What is assumed of periods before they are seen; chosen in `benchmarks/migration.py`.

    Attributes
    ----------
    half_life_periods : float
        Age at which a past period counts half in the mean rates.
    shock_periods, shock_scale : float
        Periods that the assumed spread of shocks is worth, and that spread (log scale).
    persistence_periods : float
        Periods without persistence that are added before it is estimated.
    arrival_half_life_periods, arrival_scale : float
        The same of newcomers: age that counts half in their level, assumed spread (log scale).
    draws : int
    """

    half_life_periods: float = 12.0
    shock_periods: float = 4.0
    shock_scale: float = 0.2
    persistence_periods: float = 6.0
    arrival_half_life_periods: float = 3.0
    arrival_scale: float = 0.25
    draws: int = 400


class MigrationForecast:
    """Sizes to come, with intervals in which periods differ by more than chance.

    Generative story: a customer of key i is at key j one period later with a probability
    proportional to m_ij exp(u_b), where m are mean rates, recent periods counting more, and u is
    the period's shock, one for each block b: from stage, to stage, and whether the key was kept.
    Shocks of all blocks are multivariate t: their covariance is that of past shocks plus an
    assumed one worth `shock_periods` periods, drawn as a random combination of the past shocks
    themselves (the log ratios of observed to expected counts, shrunk by their sampling noise), so
    that what moved together goes on to do so. A part of them persists (first-order autoregression),
    and their mean, which is not known either, is drawn once. Customers of a period then are
    multinomial, newcomers a count of their own (`arrivals.ArrivalForecast`), and periods follow one
    another in each draw. Without shocks this is the Dirichlet-multinomial chain.

    Parameters
    ----------
    settings : ForecastSettings
    random_state : int or sequence of int

    Attributes
    ----------
    mean_ : ndarray (from, to)
        Mean rates, departed last.
    shocks_ : ndarray (period, block)
    persistence_ : float
    periods_ : int
    """

    def __init__(
        self, settings: ForecastSettings | None = None, random_state: int | Sequence[int] = 1
    ) -> None:
        self.settings = settings or ForecastSettings()
        self.random_state = random_state

    def fit(
        self,
        keys: Sequence[str],
        stages: Sequence[str],
        counts: np.ndarray,
        arrivals: np.ndarray,
    ) -> MigrationForecast:
        """Learn from past periods of one length, oldest first.

        Parameters
        ----------
        keys : sequence of str
        stages : sequence of str
            Stage of each key; the key itself where keys are stages.
        counts : ndarray (period, from, to)
            Customers of each path, in the order of keys, and as the last `to` those who departed.
        arrivals : ndarray (period, to)
            Newcomers by the key they are first seen in.

        Raises
        ------
        ValueError
            Without a past period, for other shapes, or for negative counts.
        """
        counts, arrivals = np.asarray(counts, "float64"), np.asarray(arrivals, "float64")
        periods, size = len(counts), len(keys)
        if periods == 0 or counts.shape[1:] != (size, size + 1):
            raise ValueError(
                f"counts must be (period, {size}, {size + 1}) with one past period at least, got "
                f"{counts.shape}. Build an earlier date first."
            )
        if arrivals.shape != (periods, size) or (counts < 0).any() or (arrivals < 0).any():
            raise ValueError(
                f"arrivals must be ({periods}, {size}) and no count negative, got "
                f"{arrivals.shape}. Lay counts out by `migration_history.past_counts`."
            )
        self.keys, self.stages = list(keys), list(stages)
        self.periods_ = periods
        age = np.arange(periods)[::-1]
        weight = 0.5 ** (age / self.settings.half_life_periods)
        self._effective = float(weight.sum() ** 2 / (weight**2).sum())
        pooled = np.tensordot(weight, counts, axes=1)
        own_stage = self.keys == self.stages
        groups = ["all"] * size if own_stage else self.stages
        prior = prior_rates(pooled, self.keys, [*self.keys, DEPARTED], groups)
        strength = np.empty(size)
        for group in sorted(set(groups)):
            here = np.array([name == group for name in groups])
            strength[here] = concentration(pooled[here], prior[here])
        self._alpha = pooled + strength[:, None] * prior  # (from, to)
        self.mean_ = self._alpha / self._alpha.sum(axis=1, keepdims=True)
        self._learn_shocks(counts)
        self.arrivals_ = ArrivalForecast(
            self.settings.arrival_half_life_periods,
            self.settings.shock_periods,
            self.settings.arrival_scale,
        ).fit(arrivals)
        return self

    def simulate(self, sizes: np.ndarray, ahead: Sequence[int]) -> np.ndarray:
        """Draw sizes after each number of periods in `ahead` (ascending), (draw, ahead, key).

        `sizes` are customers by key today. The same seed gives the same draws.
        """
        rng = np.random.default_rng(self.random_state)
        draws, count = self.settings.draws, len(self.keys)
        now = np.tile(np.asarray(sizes, dtype="int64"), (draws, 1))
        gamma = rng.standard_gamma(np.broadcast_to(self._alpha, (draws, *self._alpha.shape)))
        rates = gamma / np.maximum(gamma.sum(axis=2, keepdims=True), 1e-300)
        freedom = self.settings.shock_periods + max(self.periods_ - 1, 0)
        scale = np.sqrt(freedom / rng.chisquare(freedom, draws))[:, None]
        rho = self.persistence_
        unknown = np.sqrt(min((1.0 + rho) / (1.0 - rho) / self._effective, 1.0))
        level = unknown * scale * self._combined(rng, freedom)
        shock = np.tile(self._last, (draws, 1))
        newcomers = self.arrivals_.paths(max(ahead), draws, rng)  # (draw, period, key)
        out = np.empty((draws, len(ahead), count), dtype="int64")
        for step in range(max(ahead)):
            fresh = scale * self._combined(rng, freedom)
            shock = rho * shock + np.sqrt(1.0 - rho**2) * fresh
            total = np.clip(level + shock, -MAX_SHOCK, MAX_SHOCK)
            here = np.zeros((draws, count + 1))
            bound = np.zeros((draws, count + 1))  # movers expected by destination
            for row in range(count):
                chance = self._chances(rates[:, row], total[:, self._block[row]], rng)
                stay = rng.binomial(now[:, row], np.minimum(chance[:, row], 1.0))
                here[:, row] = stay
                chance[:, row] = 0.0
                left = np.maximum(chance.sum(axis=1), 1e-300)
                bound += ((now[:, row] - stay) / left)[:, None] * chance
            movers = now.sum(axis=1) - here.sum(axis=1).astype("int64")
            # All movers are sent in one multinomial: the sum of one for each key has the same mean
            # and hardly less variance, and costs as many numbers as there are paths.
            split = bound / np.maximum(bound.sum(axis=1, keepdims=True), 1e-300)
            split[bound.sum(axis=1) <= 0, -1] = 1.0
            arrived = here + rng.multinomial(movers, split)
            now = arrived[:, :count].astype("int64") + newcomers[:, step]
            if step + 1 in ahead:
                out[:, list(ahead).index(step + 1)] = now
        return out

    def _chances(
        self, rates: np.ndarray, shock: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Where customers of one key go in each draw, (draw, to)."""
        if self._own_spread > 0:
            shock = shock + self._own_spread * rng.normal(size=shock.shape)
        chance: np.ndarray = rates * np.exp(shock)
        chance /= chance.sum(axis=1, keepdims=True)
        return chance

    def _learn_shocks(self, counts: np.ndarray) -> None:
        """Past shocks by block, their persistence, and how far single keys leave their block."""
        size = len(self.keys)
        names: dict[tuple[str, str, bool], int] = {}
        self._block = np.empty((size, size + 1), dtype="int64")
        for row in range(size):
            for column in range(size + 1):
                to_stage = self.stages[column] if column < size else DEPARTED
                name = (self.stages[row], to_stage, row == column)
                self._block[row, column] = names.setdefault(name, len(names))
        self._is_move = np.array([not kept for _, _, kept in names])
        places = {stage: place for place, stage in enumerate(sorted({name[1] for name in names}))}
        self._to = np.array([places[to] for _, to, _ in names])
        expected = counts.sum(axis=2)[:, :, None] * self.mean_
        blocks = len(names)

        def by_block(values: np.ndarray) -> np.ndarray:
            flat = self._block.ravel()
            return np.stack([np.bincount(flat, v.ravel(), minlength=blocks) for v in values])

        seen, due = by_block(counts), by_block(expected)  # (period, block)
        spread = _excess(seen[:, self._is_move], due[:, self._is_move])
        ratio = np.log((seen + CELL) / (due + CELL))
        kept = spread / (spread + 1.0 / (due + CELL))
        self.shocks_ = np.sqrt(kept) * ratio
        # Where nobody was, nothing was seen of the period.
        self.shocks_[due <= 0] = 0.0
        self.persistence_ = self._persistence(due)
        self._last = np.where(due[-1] > 0, kept[-1] * ratio[-1], 0.0)
        own = np.exp(np.sqrt(kept) * np.where(due > 0, self.shocks_, 0.0))[:, self._block]
        adjusted = expected * own
        adjusted *= counts.sum(axis=2)[:, :, None] / np.maximum(
            adjusted.sum(axis=2, keepdims=True), 1e-12
        )
        moves = ~np.eye(size, size + 1, dtype=bool)
        alone = self.keys == self.stages
        self._own_spread = 0.0 if alone else _excess(counts[:, moves], adjusted[:, moves]) ** 0.5

    def _persistence(self, due: np.ndarray) -> float:
        if self.periods_ < 3:
            return 0.0
        weight = np.sqrt(due[1:] * due[:-1])
        before, after = self.shocks_[:-1], self.shocks_[1:]
        square = 0.5 * (weight * (before**2 + after**2)).sum()
        raw = (weight * before * after).sum() / max(square, 1e-12)
        # Shocks around their own mean look less persistent than they are, by one part in their
        # number (Kendall 1954).
        pairs = self.periods_ - 1
        moved = pairs * (raw + 1.0 / self.periods_) / (pairs + self.settings.persistence_periods)
        return float(np.clip(moved, 0.0, 0.9))

    def _combined(self, rng: np.random.Generator, freedom: float) -> np.ndarray:
        """Random combinations of past and assumed shocks, (draw, block), before the t scale."""
        draws, blocks = self.settings.draws, self.shocks_.shape[1]
        learned = rng.normal(size=(draws, self.periods_)) @ self.shocks_
        common = rng.normal(size=(draws, self._to.max() + 1))[:, self._to]
        own = rng.normal(size=(draws, blocks))
        assumed = self.settings.shock_scale * (common + own) / np.sqrt(2.0) * self._is_move
        result: np.ndarray = (learned + np.sqrt(self.settings.shock_periods) * assumed) / np.sqrt(
            freedom
        )
        return result


def _excess(seen: np.ndarray, due: np.ndarray) -> float:
    """Variance of log rates beyond Poisson noise, by moments: E (c - e)^2 = e + s^2 e^2."""
    weight = due / np.maximum(1.0 + due, 1.0)
    ratio = ((seen - due) ** 2 - due) / np.maximum(due, 1e-9) ** 2
    here = due > 0
    total = float((weight * due)[here].sum())
    return max(float((weight * due * ratio)[here].sum()) / max(total, 1e-12), 0.0)
