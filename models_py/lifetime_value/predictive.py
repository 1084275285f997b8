"""The future of single customers given parameter draws: alive, buying, spending.

Add here what is simulated per customer and draw, with randomness keyed by the customer.
Fitting belongs in `purchases` and `spend`, tables of results in `value`.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.lifetime_value.purchases import DAYS_PER_WEEK
from models_py.lifetime_value.spend import level_classes, level_of

PARAMETERS_OF = {
    "mbg_nbd": ("r", "alpha", "a", "b"),
    "bg_nbd": ("r", "alpha", "a", "b"),
    "pareto_nbd": ("r", "alpha", "s", "beta"),
}
SPEND_PARAMETERS = ("p", "q", "v", "kappa")
_FUTURE_STREAM, _POOL_STREAM = 2, 3


@dataclass(frozen=True)
class Histories:
    """What is known of each customer; all arrays (customer,), times in weeks, money as given.

    `net` and `margin` are revenue and margin to date, NaN where unknown; None where nobody asks.
    `pool` names the group of customers whose parameters are theirs; None where all share one set.
    """

    customer_id: np.ndarray
    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    first: np.ndarray
    repeat: np.ndarray
    net: np.ndarray | None = None
    margin: np.ndarray | None = None
    pool: np.ndarray | None = None

    def part(self, start: int, stop: int) -> Histories:
        """The customers from `start` up to `stop`."""
        cut: dict[str, Any] = {
            name: None if values is None else values[start:stop]
            for name, values in vars(self).items()
        }
        return Histories(**cut)


@dataclass(frozen=True)
class Futures:
    """Simulated futures, and the expectations that need no simulating of orders.

    Attributes
    ----------
    orders, revenue, present_value : ndarray (customer, horizon, draw)
        Purchase days, money and discounted money up to each horizon.
    orders_mean, revenue_mean, present_value_mean, purchase_probability : (customer, horizon)
        Averages over draws of what is expected given rates, dropout and spend level; less noisy
        than averages of the simulated numbers, and of the same expectation.
    alive_probability, order_value_mean, waiting_days : (customer,)
        `waiting_days` is the median over draws of the median time to the next order, of one who
        is there and stays.
    order_value : (customer, draw)
        The customer's own mean order value.
    margin, margin_mean : ndarray (customer, horizon, draw) and (customer, horizon), or None
        Margin up to each horizon, where it is modelled and asked for (`margins`).
    """

    orders: np.ndarray
    revenue: np.ndarray
    present_value: np.ndarray
    orders_mean: np.ndarray
    revenue_mean: np.ndarray
    present_value_mean: np.ndarray
    purchase_probability: np.ndarray
    alive_probability: np.ndarray
    order_value_mean: np.ndarray
    waiting_days: np.ndarray
    order_value: np.ndarray
    margin: np.ndarray | None = None
    margin_mean: np.ndarray | None = None


def keyed_generator(customer_id: str, random_state: int, stream: int = 0) -> np.random.Generator:
    """A generator that depends on the customer, the seed and the stream, and on nothing else.

    Stream 0 was that of futures, which now take the words of stream 2 by counter (`kernels`).

    The as-of date is left out on purpose: the same customer has the same random numbers on every
    date, so that a change of value between dates shows what was learned, not new dice.
    """
    key = np.array([_key(customer_id), _seed(random_state, stream)], dtype="uint64")
    return np.random.Generator(np.random.Philox(key=key))


def _key(customer_id: str) -> int:
    digest = hashlib.blake2b(str(customer_id).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _seed(random_state: int, stream: int) -> int:
    return (int(random_state) % 2**56) * 2**8 + stream


def simulate(
    histories: Histories,
    draws: pd.DataFrame,
    horizons_days: np.ndarray,
    annual_discount_rate: float,
    purchase_model: str,
    random_state: int,
    operational_weeks: np.ndarray | None = None,
) -> Futures:
    """Draw each customer's future once per parameter draw.

    Given parameters and history, the customer is still there with the posterior probability; then
    the purchase rate is Gamma(r + x, alpha + T). In MBG/NBD and BG/NBD the dropout probability is
    Beta(a, b + n), n = x + 1 chances so far in MBG/NBD, x in BG/NBD, and ends the path after a
    geometric number of orders. In Pareto/NBD the death rate is Gamma(s, beta + T) and ends it after
    an exponential time. Until then orders are Poisson, one path through all horizons. The spend
    rate nu is Gamma(q + p n, v + S) and the sum of m orders Gamma(p m) / nu, rounded to 1/1024.
    Days count as they are (days / 7), and money is discounted continuously by (1 + rate)^(-days /
    365).

    Where customers live by a clock that runs faster in busy weeks (`seasonality`), histories and
    `operational_weeks` are in its weeks. Orders then come by that clock and money is discounted by
    the calendar, both running evenly between one horizon and the next.

    Random numbers are Philox words keyed by customer and seed, with draw and purpose as counter: a
    customer has the same ones in every batch, order of rows, thread and on every date.

    Parameters
    ----------
    histories : Histories
    draws : DataFrame
        Columns r, alpha and a, b or s, beta; p, q, v; if first orders count, kappa; if spend goes
        with frequency, ``level_from_<x>``; if refunds are known, ``net_factor``. One row per draw.
        Where histories have a pool, a column ``alpha[<pool>]`` stands before ``alpha``; a pool
        without one has the population's, offset by ``rate_scale`` and ``dropout_scale`` if given.
    horizons_days : ndarray
        Ascending.
    annual_discount_rate : float
    purchase_model : {"mbg_nbd", "bg_nbd", "pareto_nbd"}
    random_state : int
    operational_weeks : ndarray (horizon,), optional
        Weeks of the customers' clock from the as-of date to each horizon, ascending from above 0;
        those of the calendar without. ``waiting_days`` are days of that clock, which alone knows on
        which date they end.

    Returns
    -------
    Futures

    Raises
    ------
    ValueError
        For operational weeks that do not ascend, or are not one for each horizon.
    """
    from models_py.lifetime_value import kernels

    calendar = np.asarray(horizons_days, dtype="float64") / DAYS_PER_WEEK
    weeks = calendar
    if operational_weeks is not None:
        weeks = np.asarray(operational_weeks, dtype="float64")
        if weeks.shape != calendar.shape or not (np.diff(weeks, prepend=0.0) > 0).all():
            raise ValueError(
                f"operational_weeks must be positive and ascending, one for each of "
                f"{len(calendar)} horizons, got {weeks.tolist()}."
            )
    grid = np.concatenate([[0.0], weeks])
    if purchase_model == "pareto_nbd":
        grid = _refined(weeks)
    parameters, place = _parameters(draws, PARAMETERS_OF[purchase_model], histories, random_state)
    customers, count, horizons = len(histories.x), len(draws), len(weeks)
    orders, revenue, present_value = (np.empty((customers, horizons, count)) for _ in range(3))
    order_value, waiting = (np.empty((customers, count)) for _ in range(2))
    means = tuple(np.empty((customers, horizons)) for _ in range(4))
    alive, order_value_mean = (np.empty(customers) for _ in range(2))
    keys = np.array([_key(name) for name in histories.customer_id], dtype="uint64")
    known = (histories.x, histories.t_x, histories.T, histories.first, histories.repeat)
    kernels.simulate_customers(
        list(PARAMETERS_OF).index(purchase_model),  # as numbered in kernels
        np.uint64(_seed(random_state, _FUTURE_STREAM)),
        (keys, *known, place),
        parameters,
        (
            grid,
            np.searchsorted(grid, weeks),
            calendar,
            np.log1p(annual_discount_rate) / 365.0 * DAYS_PER_WEEK,
        ),
        (orders, revenue, present_value),
        (order_value, waiting),
        means,
        (alive, order_value_mean),
    )
    waiting_weeks = posterior.quantiles(waiting, "weeks")["weeks_p50"]
    return Futures(
        orders=orders,
        revenue=revenue,
        present_value=present_value,
        orders_mean=means[0],
        revenue_mean=means[1],
        present_value_mean=means[2],
        purchase_probability=means[3],
        alive_probability=alive,
        order_value_mean=order_value_mean,
        waiting_days=waiting_weeks * DAYS_PER_WEEK,
        order_value=order_value,
    )


def _refined(weeks: np.ndarray) -> np.ndarray:
    """Times from 0 to the last horizon, closer together than the chance to stay bends."""
    parts, start = [np.zeros(1)], 0.0
    for end in weeks:
        steps = int(np.ceil((end - start) / max(2.5, 0.6 * start)))
        parts.append(np.linspace(start, end, steps + 1)[1:])
        start = end
    return np.concatenate(parts)


def _parameters(
    draws: pd.DataFrame, names: tuple[str, ...], histories: Histories, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (set, name, draw), and each customer's set: one for each pool and level of spend.

    Names are those of the purchase model, `SPEND_PARAMETERS`, and the factor on all money by which
    refunds of known orders that are still to come take from it. A pool that was not fitted differs
    from the population by as much as pools do, nobody knows in which direction.
    """
    value = {str(name): draws[name].to_numpy(dtype="float64") for name in draws}
    nothing = np.full(len(draws), np.nan)  # no kappa: first orders do not count
    unknown = {"net_factor": np.ones(len(draws))}

    def column(name: str, pool: str) -> np.ndarray:
        own = (f"{name}[{pool}]", name)
        return next((value[key] for key in own if key in value), unknown.get(name, nothing))

    pools = np.zeros(len(histories.x), dtype="str") if histories.pool is None else histories.pool
    known, pool_place = np.unique(pools.astype(str), return_inverse=True)
    classes = np.array(level_classes(value))
    levels = level_of(value, classes)
    sets = []
    for pool in known:
        own = {name: column(name, pool) for name in (*names, *SPEND_PARAMETERS, "net_factor")}
        if histories.pool is not None and "rate_scale" in value and f"alpha[{pool}]" not in value:
            own |= _of_new_pool(own, value, pool, random_state)
        for level in levels:
            found = list(own.values())
            rate = len(names) + SPEND_PARAMETERS.index("v")
            found[rate] = found[rate] * level
            sets.append(found)
    place = pool_place * len(classes) + np.searchsorted(classes, histories.x, side="right") - 1
    shape = (-1, len(names) + len(SPEND_PARAMETERS) + 1, len(draws))
    return np.array(sets).reshape(shape), place.astype("int64")


def _of_new_pool(
    population: dict[str, np.ndarray], value: dict[str, np.ndarray], pool: str, random_state: int
) -> dict[str, np.ndarray]:
    """What a pool that was not fitted has in place of the population's parameters, each (draw,).

    One offset a draw for the rate and one for leaving, as `pooling` states them; keyed by seed and
    pool, so that its customers have the same in every batch.
    """
    seed = [_seed(random_state, _POOL_STREAM), _key(pool)]
    rate, leaving = np.random.default_rng(seed).standard_normal((2, len(value["rate_scale"])))
    leaving = np.exp(leaving * value["dropout_scale"])  # on the odds or the median lifetime
    own = {"alpha": population["alpha"] * np.exp(-rate * value["rate_scale"])}
    if "beta" in population:
        return own | {"beta": population["beta"] * leaving}
    a, b = population["a"], population["b"]
    left = a * leaving
    return own | {"a": (a + b) * left / (left + b), "b": (a + b) * b / (left + b)}


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
