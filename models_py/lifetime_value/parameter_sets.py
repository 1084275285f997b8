"""Draws of parameters as the arrays that compiled code reads: by pool, level of spend and chances.

Add here how a customer's own parameters are found among the draws.
What is done with them is in `kernels`; draws as plain rows are in `parameters`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from models_py.lifetime_value.customer_keys import key_of, seed_of
from models_py.lifetime_value.spend import level_classes, level_of

PARAMETERS_OF = {
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "bg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
}
SPEND_PARAMETERS = ("p", "q", "v", "kappa")
_POOL_STREAM = 3
_GOLDEN = (5.0**0.5 - 1.0) / 2.0


def parameter_sets(
    draws: pd.DataFrame,
    purchase_model: str,
    x: np.ndarray,
    pool: np.ndarray | None,
    random_state: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (set, 9, draw), and each customer's set: one for each pool and level of spend.

    They are those of the purchase model, p, q (with p added where first orders count), v, the
    weight of the first order beside later ones (1 / kappa, 0 where it does not count), and the
    factor on all money by which refunds of known orders that are still to come take from it. A pool
    that was not fitted differs from the population by as much as pools do, nobody knows in which
    direction.
    """
    names = PARAMETERS_OF[purchase_model]
    value = {str(name): draws[name].to_numpy(dtype="float64") for name in draws}
    unknown = {"net_factor": np.ones(len(draws)), "kappa": np.full(len(draws), np.nan)}

    def column(name: str, pool: str) -> np.ndarray:
        own = (f"{name}[{pool}]", name)
        return next((value[key] for key in own if key in value), unknown.get(name, np.empty(0)))

    pools = np.zeros(len(x), dtype="str") if pool is None else pool
    known, pool_place = np.unique(pools.astype(str), return_inverse=True)
    classes = np.array(level_classes(value))
    levels = level_of(value, classes)
    sets = []
    for name_of_pool in known:
        own = {
            name: column(name, name_of_pool) for name in (*names, *SPEND_PARAMETERS, "net_factor")
        }
        is_new = pool is not None and f"alpha[{name_of_pool}]" not in value
        if is_new and "rate_scale" in value:
            own |= of_new_pool(own, value, name_of_pool, random_state)
        kappa = own["kappa"]
        own["q"] = own["q"] + np.where(np.isnan(kappa), 0.0, own["p"])
        own["kappa"] = np.where(np.isnan(kappa), 0.0, 1.0 / kappa)
        sets += [list((own | {"v": own["v"] * level}).values()) for level in levels]
    place = pool_place * len(classes) + np.searchsorted(classes, x, side="right") - 1
    shape = (-1, len(names) + len(SPEND_PARAMETERS) + 1, len(draws))
    return np.array(sets).reshape(shape), place.astype("int64")


def dropout_sets(
    sets: np.ndarray, place: np.ndarray, chances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Dropout probabilities (set, draw) of each a, b and number of chances; each customer's set.

    Those who stayed at n chances have Beta(a, b + n). Each draw takes another quantile of it, at
    the middles of as many equal parts of (0, 1) as there are draws, so that means over draws are
    the integral as well: 400 random ones left 2 % of noise in the expected orders of a frequent
    buyer. In the order of multiples of the golden ratio neighbours in a chain take far-off
    quantiles.
    """
    pairs, back = np.unique(np.stack([place, chances]), axis=1, return_inverse=True)
    found = [
        _quantiles(sets[int(own), 2].tobytes(), sets[int(own), 3].tobytes(), float(n))
        for own, n in pairs.T
    ]
    return np.array(found).reshape(-1, sets.shape[2]), back.reshape(-1).astype("int64")


@lru_cache(maxsize=4096)  # at most 40 MB with 400 draws
def _quantiles(a: bytes, b: bytes, chances: float) -> np.ndarray:
    from scipy.special import betaincinv

    left, right = np.frombuffer(a), np.frombuffer(b)
    count = len(left)
    order = np.argsort(np.arange(1, count + 1) * _GOLDEN % 1.0)
    level = np.empty(count)
    level[order] = (np.arange(count) + 0.5) / count
    # Expectations divide by it.
    return np.clip(betaincinv(left, right + chances, level), 1e-12, 1.0)


def of_new_pool(
    population: dict[str, np.ndarray], value: dict[str, np.ndarray], pool: str, random_state: int
) -> dict[str, np.ndarray]:
    """What a pool that was not fitted has in place of the population's parameters, each (draw,).

    One offset a draw for the rate and one for leaving, as `pooling` states them; keyed by seed and
    pool, so that its customers have the same in every batch.
    """
    seed = [seed_of(random_state, _POOL_STREAM), key_of(pool)]
    rate, leaving = np.random.default_rng(seed).standard_normal((2, len(value["rate_scale"])))
    leaving = np.exp(leaving * value["dropout_scale"])  # on the odds or the median lifetime
    own = {"alpha": population["alpha"] * np.exp(-rate * value["rate_scale"])}
    if "beta" in population:
        return own | {"beta": population["beta"] * leaving}
    a, b = population["a"], population["b"]
    left = a * leaving
    return own | {"a": (a + b) * left / (left + b), "b": (a + b) * b / (left + b)}
