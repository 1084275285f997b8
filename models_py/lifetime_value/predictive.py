"""The future of single customers given parameter draws: alive, buying, spending.

Add here what is simulated per customer and draw, with randomness keyed by the customer.
Fitting belongs in `purchases` and `spend`, tables of results in `value`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.lifetime_value.purchases import DAYS_PER_WEEK
from models_py.lifetime_value.spend import level_of

# Revenue draws are rounded to 1/1024 of a currency unit, so that sums of them are exact in float64
# up to 8.8e12 and totals do not depend on how customers are cut into batches.
_REVENUE_STEP = 1024.0


@dataclass(frozen=True)
class Histories:
    """What is known of each customer; all arrays (customer,), times in weeks, money as given."""

    customer_id: np.ndarray
    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    first: np.ndarray
    repeat: np.ndarray

    def part(self, start: int, stop: int) -> Histories:
        """The customers from `start` up to `stop`."""
        return Histories(*(values[start:stop] for values in vars(self).values()))


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
        `waiting_days` is the median over draws of the median time to the next order, if alive.
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

    The as-of date is left out on purpose: the same customer has the same random numbers on every
    date, so that a change of value between dates shows what was learned, not new dice.
    """
    digest = hashlib.blake2b(str(customer_id).encode(), digest_size=8).digest()
    seed = (int(random_state) % 2**56) * 2**8 + stream
    key = np.array([int.from_bytes(digest, "little"), seed], dtype="uint64")
    return np.random.Generator(np.random.Philox(key=key))


def discount_factors(horizons_days: np.ndarray, annual_discount_rate: float) -> np.ndarray:
    """Mean discount factor of each step between horizons, (horizon,).

    Money is discounted continuously, by (1 + rate)^(-days/365), and counts as spread evenly over
    the step in which it falls. With dropout it falls earlier: at 10 % a year and the default
    horizons the present value comes out at most 0.4 % low.
    """
    force = np.log1p(annual_discount_rate) / 365.0
    if force == 0:
        return np.ones(len(horizons_days))
    start = np.concatenate([[0.0], horizons_days[:-1]])
    return (np.exp(-force * start) - np.exp(-force * horizons_days)) / (
        force * (horizons_days - start)
    )


def simulate(
    histories: Histories,
    draws: pd.DataFrame,
    horizons_days: np.ndarray,
    annual_discount_rate: float,
    purchase_model: str,
    random_state: int,
) -> Futures:
    """Draw each customer's future once per parameter draw.

    Given parameters and history, the customer is alive with the posterior probability; then the
    rate is Gamma(r + x, alpha + T) and the dropout probability Beta(a, b + n), n = x + 1 chances
    so far in MBG/NBD, x in BG/NBD. Orders up to a horizon are the smaller of a Poisson count and
    the geometric number of orders before dropout, one path through all horizons. The spend rate nu
    is Gamma(q + p n, v + S) and the sum of m orders Gamma(p m) / nu.

    Parameters
    ----------
    histories : Histories
    draws : DataFrame
        Columns r, alpha, a, b, p, q, v; if first orders count, kappa; if spend goes with frequency,
        ``level_from_<x>``; if refunds are known, ``net_factor``. One row per draw.
    horizons_days : ndarray
        Ascending.
    annual_discount_rate : float
    purchase_model : {"mbg_nbd", "bg_nbd"}
    random_state : int

    Returns
    -------
    Futures
    """
    customers, count = len(histories.x), len(draws)
    value = {str(name): draws[name].to_numpy(dtype="float64") for name in draws}  # (draw,)
    r, alpha, a, b = (value[name] for name in ("r", "alpha", "a", "b"))
    p, q, v = (value[name] for name in ("p", "q", "v"))
    x, t_x, tenure = (known[:, None] for known in (histories.x, histories.t_x, histories.T))
    chances = x + 1.0 if purchase_model == "mbg_nbd" else x
    has_chance = chances > 0

    # (customer, draw) from here
    gone = (
        np.log(a)
        - np.log(b + chances - has_chance)
        + (r + x) * np.log((alpha + tenure) / (alpha + t_x))
    )
    alive = np.where(has_chance, 1.0 / (1.0 + np.exp(np.minimum(gone, 700.0))), 1.0)
    spend_shape = q + p * x
    spend_rate = v * level_of(value, histories.x) + histories.repeat[:, None]
    if "kappa" in value:
        spend_shape = spend_shape + p
        spend_rate = spend_rate + histories.first[:, None] / value["kappa"]
    # Refunds of these orders that are still to come take from all money alike.
    spend_rate = spend_rate * value.get("net_factor", 1.0)

    rate, dropout, level = (np.empty((customers, count)) for _ in range(3))
    luck = np.empty((customers, 2, count))
    generators = [keyed_generator(key, random_state) for key in histories.customer_id]
    for i, generator in enumerate(generators):
        generator.random(out=luck[i])
        rate[i] = generator.standard_gamma(r + x[i])
        dropout[i] = generator.beta(a, b + chances[i])
        level[i] = generator.standard_gamma(spend_shape[i])
    rate /= alpha + tenure  # per week
    nu = level / spend_rate
    # A dropout probability of almost 0 makes this infinite, which is what it should be.
    with np.errstate(over="ignore", divide="ignore"):
        last = np.ceil(np.log1p(-luck[:, 1]) / np.log1p(-dropout))
    last = np.clip(last, 1.0, 2.0**31 - 1)  # the order after which the customer drops out

    weeks = np.asarray(horizons_days, dtype="float64") / DAYS_PER_WEEK
    steps = np.diff(weeks, prepend=0.0)
    intensity = np.where(luck[:, 0] < alive, rate, 0.0)[:, None, :] * steps[:, None]
    orders = np.empty(intensity.shape)  # (customer, horizon, draw)
    for i, generator in enumerate(generators):
        orders[i] = generator.poisson(intensity[i])
    np.cumsum(orders, axis=1, out=orders)
    np.minimum(orders, last[:, None, :], out=orders)

    new_shape = p * np.diff(orders, axis=1, prepend=0.0)
    for i, generator in enumerate(generators):
        new_shape[i] = generator.standard_gamma(new_shape[i])
    step_revenue = np.rint(new_shape / nu[:, None, :] * _REVENUE_STEP) / _REVENUE_STEP
    factor = discount_factors(np.asarray(horizons_days, dtype="float64"), annual_discount_rate)

    # Given rate and dropout, orders come at rate * exp(-rate * dropout * t) while alive.
    leaving = np.maximum(dropout, 1e-12)
    expected = (alive / leaving)[:, None, :] * -np.expm1(
        -(rate * leaving)[:, None, :] * weeks[:, None]
    )
    order_value = spend_rate * p / (spend_shape - 1.0)
    expected_revenue = np.mean(
        np.diff(expected, axis=1, prepend=0.0) * order_value[:, None, :], axis=2
    )
    silent = np.exp(-(r + x)[:, None, :] * np.log1p(weeks[:, None] / (alpha + tenure)[:, None, :]))
    with np.errstate(over="ignore"):
        waiting = (alpha + tenure) * np.expm1(np.log(2.0) / (r + x))
    return Futures(
        orders=orders,
        revenue=np.cumsum(step_revenue, axis=1),
        present_value=np.cumsum(step_revenue * factor[:, None], axis=1),
        orders_mean=expected.mean(axis=2),
        revenue_mean=np.cumsum(expected_revenue, axis=1),
        present_value_mean=np.cumsum(expected_revenue * factor, axis=1),
        purchase_probability=np.mean(alive[:, None, :] * (1.0 - silent), axis=2),
        alive_probability=alive.mean(axis=1),
        order_value_mean=order_value.mean(axis=1),
        waiting_days=np.median(waiting, axis=1) * DAYS_PER_WEEK,
        order_value=p / nu,
    )
