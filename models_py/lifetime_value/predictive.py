"""The future of single customers given parameter draws: alive, buying, spending.

Add here what is simulated per customer and draw, with randomness keyed by the customer.
Fitting belongs in `purchases` and `spend`, tables of results in `value`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.lifetime_value.customer_keys import key_of, seed_of
from models_py.lifetime_value.parameter_sets import PARAMETERS_OF, dropout_sets, parameter_sets
from models_py.lifetime_value.purchases import DAYS_PER_WEEK

_FUTURE_STREAM = 2


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
        return self._picked(slice(start, stop))

    def by_state(self) -> tuple[Histories, np.ndarray]:
        """Customers of one state side by side, which are simulated faster, and their places here.

        The state is the pool, x, T and t_x.
        """
        pool = np.zeros(len(self.x)) if self.pool is None else self.pool.astype(str)
        order = np.lexsort((self.t_x, self.T, self.x, pool))
        return self._picked(order), order

    def _picked(self, which: slice | np.ndarray) -> Histories:
        cut: dict[str, Any] = {
            name: None if values is None else values[which] for name, values in vars(self).items()
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
    x, t_x, tenure = histories.x, histories.t_x, histories.T
    sets, place = parameter_sets(draws, purchase_model, x, histories.pool, random_state)
    dropouts, leaving = np.empty((0, len(draws))), place
    if purchase_model != "pareto_nbd":
        dropouts, leaving = dropout_sets(sets, place, x + (purchase_model == "mbg_nbd"))
    customers, count, horizons = len(x), len(draws), len(weeks)
    orders, revenue, present_value = (np.empty((customers, horizons, count)) for _ in range(3))
    order_value = np.empty((customers, count))
    means = tuple(np.empty((customers, horizons)) for _ in range(4))
    alive, order_value_mean = (np.empty(customers) for _ in range(2))
    keys = np.array([key_of(name) for name in histories.customer_id], dtype="uint64")
    # Who shares parameters, x and T shares what the kernel computes first.
    order = np.lexsort((t_x, tenure, x, place))
    shared = np.stack([place, x, tenure])[:, order]
    is_new = np.append(True, (shared[:, 1:] != shared[:, :-1]).any(axis=0))[:customers]
    state = np.empty(customers, dtype="int64")
    state[order] = np.cumsum(is_new) - 1
    waiting = np.empty((int(is_new.sum()), count))
    kernels.simulate_customers(
        list(PARAMETERS_OF).index(purchase_model),  # as numbered in expectations
        np.uint64(seed_of(random_state, _FUTURE_STREAM)),
        (order, state, keys, x, t_x, tenure, histories.first, histories.repeat, place, leaving),
        sets,
        dropouts,
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
    waiting_weeks = posterior.quantiles(waiting, "weeks")["weeks_p50"][state]
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
