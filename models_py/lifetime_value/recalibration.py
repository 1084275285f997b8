"""Intervals as wide as past ones should have been, in an order that stays an order.

Add here how published intervals follow from raw ones. On which origins this is learned and where it
is judged is the pipeline's; raw draws come from `LifetimeValue.simulate`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from models_py import posterior
from models_py.lifetime_value.predictive import Futures

LEVELS = (0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975)
GROUPS = ("one_time", "repeat", "top")
COLUMNS = (
    "horizon_days",
    "quantity",
    "customer_group",
    "nominal_level",
    "adjusted_level",
    "top_from_amount",
    "customers_count",
)
_QUANTITIES = ("orders", "revenue")
_SHRINKAGE = 100.0
_MIDDLES = (0.5, 0.8, 0.9, 0.95)  # central intervals whose width is measured
# What each published quantity is corrected by.
_SAME_AS = {
    "orders": "orders",
    "revenue": "revenue",
    "present_value": "revenue",
    "margin": "revenue",
}


@dataclass(frozen=True)
class Recalibration:
    """Which quantile of the raw draws to publish for each nominal level.

    Intervals get wider around their median, never narrower, and never move: in normal scores of the
    PIT, each level is multiplied by one width, so that as many past outcomes lie inside the central
    intervals as should (the mean over four of them, in logs). A month that was better than all
    others shifts every customer's PIT at once; a correction of where they lie would carry that
    shift into the next window, where it is as often wrong as right. The width is learned apart for
    one-time buyers, repeat buyers and the tenth with the highest predicted value, each drawn
    towards everyone, and everyone towards none, as by 100 customers more.

    Attributes
    ----------
    levels : dict of (horizon_days, quantity, customer_group) to ndarray
        Adjusted level of each of `LEVELS`.
    top_from : dict of int to float
        Predicted revenue from which a customer belongs to ``top``, per horizon.
    counts : dict of (horizon_days, quantity, customer_group) to int
        Customers behind each.
    """

    levels: dict[tuple[int, str, str], np.ndarray]
    top_from: dict[int, float]
    counts: dict[tuple[int, str, str], int]

    @classmethod
    def learn(cls, evaluated: pd.DataFrame) -> Recalibration:
        """Learn from `backtest.evaluate` at one or more origins, per horizon.

        Parameters
        ----------
        evaluated : DataFrame
            customer_id, horizon_days, x, predicted_revenue, orders_pit, revenue_pit.
        """
        levels, top_from, counts = {}, {}, {}
        for key, rows in evaluated.groupby("horizon_days", sort=True):
            horizon = int(str(key))
            top_from[horizon] = float(np.quantile(rows["predicted_revenue"], 0.9))
            group = _groups(rows["x"], rows["predicted_revenue"], top_from[horizon])
            for quantity in _QUANTITIES:
                pit = rows[f"{quantity}_pit"].to_numpy(dtype="float64")
                everyone = _towards(0.0, pit)
                for name in GROUPS:
                    own = pit[group == name]
                    width = max(_towards(everyone, own), 0.0)
                    levels[horizon, quantity, name] = _spread(width)
                    counts[horizon, quantity, name] = len(own)
        return cls(levels, top_from, counts)

    def envelope(self, other: Recalibration) -> Recalibration:
        """The wider of two at every level; where only one knows a horizon, that one."""
        both = {
            key: _outer(values, other.levels[key]) if key in other.levels else values
            for key, values in self.levels.items()
        }
        return Recalibration(
            other.levels | both, other.top_from | self.top_from, other.counts | self.counts
        )

    def at(self, horizon: int, learned_at: int | None = None) -> Recalibration:
        """Only one horizon, or what was learned at `learned_at` carried over to it.

        The amount from which a customer belongs to ``top`` grows with the length.
        """
        source = horizon if learned_at is None else learned_at
        return Recalibration(
            {(horizon, *key[1:]): v for key, v in self.levels.items() if key[0] == source},
            {horizon: self.top_from[source] * horizon / source},
            {(horizon, *key[1:]): v for key, v in self.counts.items() if key[0] == source},
        )

    @classmethod
    def joined(cls, parts: Sequence[Recalibration]) -> Recalibration:
        """One of all horizons from those of single ones."""
        levels: dict[tuple[int, str, str], np.ndarray] = {}
        top_from: dict[int, float] = {}
        counts: dict[tuple[int, str, str], int] = {}
        for part in parts:
            levels |= part.levels
            top_from |= part.top_from
            counts |= part.counts
        return cls(levels, top_from, counts)

    def recalibrated_pit(self, evaluated: pd.DataFrame) -> dict[str, np.ndarray]:
        """PIT values under the corrected distributions: ``<quantity>_recalibrated_pit``.

        NaN at horizons that were not learned.
        """
        found = {f"{q}_recalibrated_pit": np.full(len(evaluated), np.nan) for q in _QUANTITIES}
        horizons = evaluated["horizon_days"].to_numpy()
        nominal = np.concatenate([[0.0], LEVELS, [1.0]])
        for horizon, amount in self.top_from.items():
            group = _groups(evaluated["x"], evaluated["predicted_revenue"], amount)
            for quantity in _QUANTITIES:
                pit = evaluated[f"{quantity}_pit"].to_numpy(dtype="float64")
                for name in GROUPS:
                    mine = (horizons == horizon) & (group == name)
                    adjusted = np.concatenate([[0.0], self.levels[horizon, quantity, name], [1.0]])
                    found[f"{quantity}_recalibrated_pit"][mine] = np.interp(
                        pit[mine], adjusted, nominal
                    )
        return found

    def summarise(
        self,
        draws: Mapping[str, np.ndarray],
        x: np.ndarray,
        revenue_mean: np.ndarray,
        horizons_days: Sequence[int],
    ) -> dict[str, np.ndarray]:
        """Published quantiles of raw draws, ``predicted_<quantity>_p05`` to ``_p95``.

        Parameters
        ----------
        draws : mapping of str to ndarray (customer, horizon, draw)
            orders, revenue, present_value, margin or some of them.
        x : ndarray (customer,)
        revenue_mean : ndarray (customer, horizon)
        horizons_days : sequence of int
            Those that were not learned keep their raw quantiles.

        Returns
        -------
        dict of ndarray (customer, horizon)
        """
        found: dict[str, np.ndarray] = {}
        for quantity, values in draws.items():
            ordered = np.sort(values, axis=2)
            count = ordered.shape[2]
            for suffix, level in posterior.QUANTILES.items():
                wanted = np.full(revenue_mean.shape, level)
                for column, horizon in enumerate(horizons_days):
                    if horizon in self.top_from:
                        wanted[:, column] = self._level(
                            int(horizon), _SAME_AS[quantity], level, x, revenue_mean[:, column]
                        )
                place = np.clip(np.ceil(wanted * count).astype(int), 1, count) - 1
                picked = np.take_along_axis(ordered, place[:, :, None], axis=2)[:, :, 0]
                found[f"predicted_{quantity}_{suffix}"] = picked
        return found

    def of_futures(
        self, futures: Futures, x: np.ndarray, horizons_days: Sequence[int]
    ) -> dict[str, np.ndarray]:
        """`summarise` the simulated futures of customers with `x` repeat purchases."""
        # Margin is there only where it is modelled.
        known = {name: getattr(futures, name, None) for name in _SAME_AS}
        draws = {name: values for name, values in known.items() if values is not None}
        return self.summarise(draws, x, futures.revenue_mean, horizons_days)

    def _level(
        self, horizon: int, quantity: str, level: float, x: np.ndarray, amount: np.ndarray
    ) -> np.ndarray:
        by_group = {
            name: float(np.interp(level, LEVELS, self.levels[horizon, quantity, name]))
            for name in GROUPS
        }
        group = _groups(x, amount, self.top_from[horizon])
        return np.select([group == name for name in GROUPS], [by_group[n] for n in GROUPS])

    def to_frame(self) -> pd.DataFrame:
        """One row per horizon, quantity, group of customers and nominal level, `COLUMNS`."""
        rows = [
            (horizon, quantity, name, level, float(adjusted), self.top_from[horizon],
             self.counts[horizon, quantity, name])
            for (horizon, quantity, name), values in sorted(self.levels.items())
            for level, adjusted in zip(LEVELS, values, strict=True)
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Recalibration:
        """Back from `to_frame`, in any order of rows."""
        levels: dict[tuple[int, str, str], np.ndarray] = {}
        counts: dict[tuple[int, str, str], int] = {}
        top_from: dict[int, float] = {}
        keys = ["horizon_days", "quantity", "customer_group"]
        for (horizon, quantity, name), rows in frame.groupby(keys, sort=True):
            ordered = rows.sort_values("nominal_level")
            key = (int(str(horizon)), str(quantity), str(name))
            levels[key] = ordered["adjusted_level"].to_numpy(dtype="float64")
            counts[key] = int(ordered["customers_count"].iloc[0])
            top_from[key[0]] = float(ordered["top_from_amount"].iloc[0])
        return cls(levels, top_from, counts)


def _towards(prior: float, pit: np.ndarray) -> float:
    """Log width that PIT values ask for, drawn towards `prior` as by 100 customers.

    Their normal scores should be standard normal: of each central interval, the distance that as
    many scores keep as should is compared with the right one.
    """
    if len(pit) == 0:
        return prior
    distance = np.abs(special.ndtri(np.clip(pit, 1e-9, 1.0 - 1e-9)))
    right = special.ndtri(0.5 + np.asarray(_MIDDLES) / 2.0)
    own = float(np.log((np.quantile(distance, _MIDDLES) / right).mean()))
    return (len(pit) * own + _SHRINKAGE * prior) / (len(pit) + _SHRINKAGE)


def _spread(log_width: float) -> np.ndarray:
    """`LEVELS` with their normal scores multiplied by a width; within the reach of draws."""
    nominal = np.asarray(LEVELS)
    if log_width == 0.0:
        return nominal  # exactly: a level a hair above picks the next draw
    levels: np.ndarray = special.ndtr(np.exp(log_width) * special.ndtri(nominal))
    return levels


def _outer(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The level farther from the middle; the median of the first."""
    nominal = np.asarray(LEVELS)
    outward = np.where(nominal < 0.5, np.minimum(one, other), np.maximum(one, other))
    return np.where(nominal == 0.5, one, outward)


def _groups(x: pd.Series | np.ndarray, amount: pd.Series | np.ndarray, top: float) -> np.ndarray:
    return np.select([np.asarray(amount) >= top, np.asarray(x) > 0], ["top", "repeat"], "one_time")
