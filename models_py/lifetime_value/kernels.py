"""Futures of customers in machine code: states that customers share, then the draws of each.

Add here what is computed for every customer and every draw; numba compiles it once and keeps it.
Formulas are in `expectations`, single paths in `paths`; what the numbers mean, and how they are
called from frames, is in `predictive`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models_py.lifetime_value import elementary, expectations, keyed_random, late_orders, paths
from models_py.lifetime_value.elementary import expm1
from models_py.lifetime_value.expectations import MBG_NBD, PARETO_NBD, product_sum
from models_py.lifetime_value.keyed_random import compiled, kept
from models_py.lifetime_value.late_orders import LEVEL, LEVEL_AGAIN, LUCK

_NEGLIGIBLE = 1e-9  # chance of being alive: such a draw counts as gone
_LN2 = 0.6931471805599453


@compiled
def _enter(family, x, tenure, at, dropout, time, state, waiting):  # type: ignore[no-untyped-def]
    """Fill what all customers of equal x, T and parameters share.

    `expected`, `density`, `bought` are those of `expectations.expect`; `gains` (horizon, draw)
    become expected orders weighted by their discount, cumulative; `waiting` (draw,) the median
    weeks to the next order.
    """
    grid, at_horizon, calendar, force = time
    expected, density, bought, gains, soonest = state
    expectations.expect(family, x, tenure, at, dropout, grid, expected, density, bought)
    before, place = 0.0, 0
    for h in range(len(at_horizon)):
        evenly = expectations.mean_discount(force, before, calendar[h])
        slope = force * (calendar[h] - before) / 6.0
        # Orders of a step lie earlier than evenly spread where their density falls.
        early, late, into = density[place], density[at_horizon[h]], gains[h]
        for d in range(len(into)):
            tilt = (late[d] - early[d]) / (late[d] + early[d])
            into[d] = evenly * (1.0 - slope * tilt)
        done, so_far = expected[place], expected[at_horizon[h]]
        for d in range(len(into)):
            into[d] *= so_far[d] - done[d]
        if h > 0:
            for d in range(len(into)):
                into[d] += gains[h - 1, d]
        before, place = calendar[h], at_horizon[h]
    # The chance that the next order, were nobody to leave before it, comes before the last horizon.
    last = grid[len(grid) - 1]
    for d in range(len(soonest)):
        soonest[d] = elementary.log1p(last / (at[1, d] + tenure))
    for d in range(len(soonest)):
        soonest[d] = -expm1(-(at[0, d] + x) * soonest[d])
    for d in range(len(soonest)):
        waiting[d] = (at[1, d] + tenure) * expm1(_LN2 / (at[0, d] + x))


@compiled
def _spend(x, first, repeat, at, shape, rate, value):  # type: ignore[no-untyped-def]
    """Gamma(shape, rate) of the customer's spend level, and the mean order value, of each draw."""
    p, q, v, weight, factor = at[4], at[5], at[6], at[7], at[8]
    for d in range(len(shape)):
        shape[d] = q[d] + p[d] * x
    for d in range(len(rate)):
        rate[d] = (v[d] + repeat + first * weight[d]) * factor[d]
    for d in range(len(value)):
        value[d] = p[d] * rate[d] / (shape[d] - 1.0)


@compiled
def _levels(key, seed, p, shape, rate, work, order_value):  # type: ignore[no-untyped-def]
    """Draw each order value p / nu, nu ~ Gamma(shape, rate)."""
    draws = len(order_value)
    half = (draws + 3) // 4 * 2
    left, right, luck = work[0, :half], work[1, :half], work[2:4]
    for block in range(half // 2):
        four = keyed_random.words(key, seed, block, LEVEL, 0)
        for k in range(2):
            i = 2 * block + k
            left[i], luck[0, i] = keyed_random.split(four[0] if k == 0 else four[2])
            right[i], luck[1, i] = keyed_random.split(four[1] if k == 0 else four[3])
    paths.normals(left, right)
    for d in range(draws):
        z, u = work[d % 2, d // 2], luck[d % 2, d // 2]
        drawn = keyed_random.gamma_of(z, u, key, seed, LEVEL_AGAIN, d, shape[d])
        order_value[d] = p[d] * rate[d] / drawn


@compiled
def _lucky(key, seed, alive, bought, chances, found):  # type: ignore[no-untyped-def]
    """List the draws whose next order may come before the last horizon; returns their number.

    `chances` become the shares of customers like this one who order earlier.
    """
    draws, number = len(alive), 0
    for block in range((draws + 3) // 4):
        four = keyed_random.words(key, seed, block, LUCK, 0)
        for k in range(min(4, draws - 4 * block)):
            word = four[0] if k == 0 else four[1] if k == 1 else four[2] if k == 2 else four[3]
            chances[4 * block + k] = keyed_random.uniform(word)
    for d in range(draws):
        # Written without asking, kept if lucky: a branch would often be mispredicted.
        chance = chances[d]
        found[number], chances[number] = d, chance / alive[d]
        number += (chance < alive[d] * bought[d]) & (alive[d] >= _NEGLIGIBLE)
    return number


@compiled
def _simulate(family, seed, known, parameters, dropouts, time, paths_of, by_draw, means, single):  # type: ignore[no-untyped-def]
    order, state_of, keys, x, t_x, tenure, first, repeat, place, leaving = known
    grid, at_horizon, calendar, force = time
    orders, revenue, present = paths_of
    order_value, waiting = by_draw
    orders_mean, revenue_mean, present_mean, bought_mean = means
    alive_mean, value_mean = single
    draws, horizons, times = parameters.shape[2], len(at_horizon), len(grid)
    weeks, paces, ones = np.empty(horizons), np.empty(horizons), np.ones(draws)
    for h in range(horizons):
        weeks[h] = grid[at_horizon[h]]
        since, day = (grid[at_horizon[h - 1]], calendar[h - 1]) if h > 0 else (0.0, 0.0)
        paces[h] = (calendar[h] - day) / (weeks[h] - since)
    expected, density = np.empty((times, draws)), np.empty((times, draws))
    bought, gains = np.empty((times, draws)), np.empty((horizons, draws))
    soonest, alive, shape = np.empty(draws), np.empty(draws), np.empty(draws)
    rate, value, chances = np.empty(draws), np.empty(draws), np.empty(draws)
    counts, discounts = np.empty((horizons, draws)), np.empty((horizons, draws))
    work, found = np.empty((paths.ROWS, draws + 4)), np.empty(draws, np.int64)
    state, before = -1, -1
    for i in order:
        at, key = parameters[place[i]], keys[i]
        is_new = state_of[i] != state
        if is_new:
            state = state_of[i]
            _enter(
                family, x[i], tenure[i], at, dropouts[leaving[i]], time,
                (expected, density, bought, gains, soonest), waiting[state],
            )  # fmt: skip
        if is_new or t_x[i] != t_x[before]:
            expectations.alive_probability(family, x[i], t_x[i], tenure[i], at, alive)
        before = i
        _spend(x[i], first[i], repeat[i], at, shape, rate, value)
        _levels(key, seed, at[4], shape, rate, work, order_value[i])
        alive_mean[i] = product_sum(alive, ones) / draws
        value_mean[i] = product_sum(value, ones) / draws
        for d in range(draws):
            value[d] *= alive[d]
        for h in range(horizons):
            reached = at_horizon[h]
            orders_mean[i, h] = product_sum(alive, expected[reached]) / draws
            bought_mean[i, h] = product_sum(alive, bought[reached]) / draws
            revenue_mean[i, h] = product_sum(value, expected[reached]) / draws
            present_mean[i, h] = product_sum(value, gains[h]) / draws
        orders[i], revenue[i], present[i] = 0.0, 0.0, 0.0
        since = x[i] + 1.0 if family == MBG_NBD else x[i]
        if family == PARETO_NBD:
            since = tenure[i]
        number = _lucky(key, seed, alive, soonest, chances, found)
        paths.simulate_paths(
            family, key, seed, found[:number], chances[:number], (x[i], tenure[i], since, at),
            order_value[i], (weeks, calendar, paces, force), work, counts, discounts,
            (orders[i], revenue[i], present[i]),
        )  # fmt: skip


def _build(blocks: int) -> Callable[..., None]:
    """The whole, compiled once, in 20 s or more, and kept.

    `blocks` says which version of the building blocks is inside: numba itself looks at this file
    only.
    """

    def simulate_customers(  # type: ignore[no-untyped-def]
        family, seed, known, parameters, dropouts, time, paths_of, by_draw, means, single
    ):
        if blocks >= 0:
            _simulate(
                family, seed, known, parameters, dropouts, time, paths_of, by_draw, means, single
            )

    return kept(simulate_customers)


_PARTS = (elementary, expectations, keyed_random, late_orders, paths)
simulate_customers: Callable[..., None] = _build(
    zlib.crc32(b"".join(Path(str(part.__file__)).read_bytes() for part in _PARTS))
)
"""Fill the arrays of `predictive.Futures` for some customers, those of equal state in a row.

Parameters
----------
family : int
seed : uint64
known : tuple
    Order in which to compute and number of the state (int64), keys (uint64), x, t_x, T, first,
    repeat, place among the sets of parameters and among the sets of dropout probabilities (int64),
    all (customer,); times in weeks.
parameters : (set, 9, draw)
    r, alpha, a and b or s and beta, p, q (plus p where first orders count), v, weight of first
    orders (1 / kappa or 0), factor on money.
dropouts : (set, draw)
    Dropout probabilities that stand for their law in expectations; of no use in Pareto/NBD.
time : tuple
    Weeks after T (time,), from 0 on; places of horizons therein (horizon,); weeks after T on the
    calendar, by which money is discounted (horizon,); force of discounting per week.
paths_of, by_draw, means, single : tuples of arrays
    Written: orders, revenue, present value (customer, horizon, draw); order value (customer, draw)
    and median weeks to the next order (state, draw); means of orders, revenue, present value and
    P(an order) (customer, horizon); P(alive) and mean order value (customer,).
"""
