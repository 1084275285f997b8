"""Customers of one of the purchase families, simulated without any code of the models.

`benchmarks/sbc.py`, `benchmarks/inference.py` and tests draw their shops here.
Shops with amounts and whole days are in `models_py.simulate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Shop:
    """Histories and what the model never sees, all (customer,); times in weeks.

    `leaving` is the customer's dropout probability or (Pareto/NBD) rate of leaving a week;
    `left_after` is the repeat purchase after which the customer leaves, `life` the moment of
    leaving (Pareto/NBD); the other one is infinite.
    """

    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    rate: np.ndarray
    leaving: np.ndarray
    left_after: np.ndarray
    life: np.ndarray

    def groups(self) -> pd.DataFrame:
        """Purchase groups in days, customers of the same history together."""
        rows = pd.DataFrame(
            {
                "repeat_purchases_count": self.x.astype("int64"),
                "active_span_days": 7.0 * self.t_x,
                "tenure_days": 7.0 * self.T,
            }
        )
        sizes = rows.groupby(list(rows.columns)).size()
        return sizes.rename("customers_count").reset_index()


def simulate(
    family: str, at: dict[str, float], tenure: np.ndarray, generator: np.random.Generator
) -> Shop:
    """Draw one history per entry of `tenure` (weeks); exact, without walking through purchases.

    Of n events of a Poisson process in a window, those before leaving are kept; the time of the
    k-th of n is the window times a Beta(k, n - k + 1).
    """
    count = len(tenure)
    rate = generator.gamma(at["r"], 1.0 / at["alpha"], count)
    if family == "pareto_nbd":
        # A rate of leaving that underflows to 0 is a customer for ever.
        leaving = np.maximum(generator.gamma(at["s"], 1.0 / at["beta"], count), 1e-300)
        life, left_after = generator.exponential(1.0, count) / leaving, np.full(count, np.inf)
    else:
        leaving = np.clip(generator.beta(at["a"], at["b"], count), 1e-300, 1.0 - 1e-16)
        stays = np.floor(np.log(1.0 - generator.random(count)) / np.log1p(-leaving))
        # The first purchase is a chance to leave in MBG/NBD only.
        left_after = stays + (family == "bg_nbd")
        life = np.full(count, np.inf)
    window = np.minimum(life, tenure)
    events = generator.poisson(rate * window).astype("float64")
    x = np.minimum(events, left_after)
    place = generator.beta(np.maximum(x, 1.0), events - x + 1.0)
    return Shop(x, np.where(x > 0, window * place, 0.0), tenure, rate, leaving, left_after, life)


def future_purchases(shop: Shop, weeks: float, generator: np.random.Generator) -> np.ndarray:
    """Purchases of each customer in the next `weeks`, (customer,)."""
    exposed = np.clip(shop.life - shop.T, 0.0, weeks)
    left = np.where(shop.x < shop.left_after, shop.left_after - shop.x, 0.0)
    return np.minimum(generator.poisson(shop.rate * exposed), left)


def mean_purchases(
    family: str, is_alive: np.ndarray, rate: np.ndarray, leaving: np.ndarray, weeks: float
) -> np.ndarray:
    """Mean purchases in the next `weeks` of customers whose own rate and leaving are known.

    Purchases go on at the rate until the customer leaves, which happens at `leaving` a week
    (Pareto/NBD), or with probability `leaving` at each purchase.
    """
    hazard = leaving if family == "pareto_nbd" else rate * leaving
    hazard = np.maximum(hazard, 1e-300)
    return is_alive * rate * -np.expm1(-hazard * weeks) / hazard
