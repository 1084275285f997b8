"""The futures of single customers in machine code: alive, expected, and one path for each draw.

Add here what is computed for every customer and every draw; numba compiles it once and keeps it.
What the numbers mean, and how they are called from frames, is in `predictive`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from models_py.lifetime_value import expectations, keyed_random
from models_py.lifetime_value.expectations import (
    MBG_NBD,
    PARETO_NBD,
    alive_probability,
    expect,
    mean_discount,
)
from models_py.lifetime_value.keyed_random import compiled
from models_py.order_statistics import kept

# Streams of one customer and draw. From _STEPS on there are four for every horizon: orders, amounts
# and two for the time of the last order.
_LUCK, _LEAVING, _STAYING, _LEVEL, _RATE, _STEPS = range(6)
_NEGLIGIBLE = 1e-9  # chance of being alive: such a draw counts as gone
# Revenue draws are rounded to 1/1024 of a currency unit, so that sums of them are exact in float64
# up to 8.8e12 and totals do not depend on how customers are cut into batches.
_REVENUE_STEP = 1024.0

beta, gamma, poisson = keyed_random.beta, keyed_random.gamma, keyed_random.poisson
uniform, words = keyed_random.uniform, keyed_random.words


@compiled
def simulate_path(  # type: ignore[no-untyped-def]
    family, key, seed, draw, rate, first, last, shape, nu, time, orders, revenue, present
):
    """One future of a customer whose next order comes at `first`, cumulative at each of `weeks`.

    Later orders are Poisson over the part of a step in which the customer stays, and cease with
    number `last` (MBG/NBD, BG/NBD) or at time `last` in weeks (Pareto/NBD). Money is discounted at
    the mean factor of the time its orders are spread over, by the calendar, which runs evenly
    within a step.
    """
    weeks, calendar, evenly, force = time
    bought, money, discounted, start, day = 0.0, 0.0, 0.0, 0.0, 0.0
    for h in range(len(weeks)):
        end = weeks[h]
        since, day = day, calendar[h]
        pace = (day - since) / (end - start)
        stream = _STEPS + 4 * h
        count, factor = 0.0, 0.0
        if first >= end:
            start = end
            continue
        begin = max(start, first)
        comes = 1.0 if first >= start else 0.0
        if family == PARETO_NBD:
            stop = min(end, last)
            if stop > begin:
                count = comes + poisson(key, seed, stream, draw, rate * (stop - begin))
                until = since + (stop - start) * pace
                factor = evenly[h] if stop == end else mean_discount(force, since, until)
        elif bought < last:
            count = comes + poisson(key, seed, stream, draw, rate * (end - begin))
            left = last - bought
            if count > left:
                # The last order is the left-th of `count` uniform times.
                share = beta(key, seed, stream + 2, draw, left, count - left + 1.0)
                final = since + (day - since) * share
                early = mean_discount(force, since, final)
                factor = ((left - 1.0) * early + math.exp(-force * final)) / left
                count = left
            else:
                factor = evenly[h]
        if count > 0.0:
            bought += count
            drawn = gamma(key, seed, stream + 1, draw, shape * count) / nu
            drawn = np.rint(drawn * _REVENUE_STEP) / _REVENUE_STEP
            money += drawn
            discounted += drawn * factor
        orders[h], revenue[h], present[h] = bought, money, discounted
        start = end


@compiled
def _simulate(family, seed, known, parameters, time, paths, by_draw, means, by_customer):  # type: ignore[no-untyped-def]
    keys, x, t_x, tenure, first, repeat, place = known
    grid, at, calendar, force = time
    orders, revenue, present = paths
    order_value, waiting = by_draw
    orders_mean, revenue_mean, present_mean, bought_mean = means
    alive_mean, order_value_mean = by_customer
    draws, horizons, times = parameters.shape[2], len(at), len(grid)
    weeks, evenly, slope = np.empty(horizons), np.empty(horizons), np.empty(horizons)
    for h in range(horizons):
        weeks[h] = grid[at[h]]
        before = 0.0 if h == 0 else calendar[h - 1]
        evenly[h] = mean_discount(force, before, calendar[h])
        slope[h] = force * (calendar[h] - before) / 6.0
    expected, density, bought = np.empty(times), np.empty(times), np.empty(times)
    for i in range(len(x)):
        key, own = keys[i], place[i]
        orders_mean[i], revenue_mean[i], present_mean[i], bought_mean[i] = 0.0, 0.0, 0.0, 0.0
        alive_sum, value_sum = 0.0, 0.0
        for d in range(draws):
            # One by one: a slice would cost as much as a variate.
            p0, p1 = parameters[own, 0, d], parameters[own, 1, d]
            p2, p3 = parameters[own, 2, d], parameters[own, 3, d]
            p, kappa = parameters[own, 4, d], parameters[own, 7, d]
            amounts_shape = parameters[own, 5, d] + p * x[i]
            amounts_rate = parameters[own, 6, d] + repeat[i]
            if not math.isnan(kappa):
                amounts_shape += p
                amounts_rate += first[i] / kappa
            amounts_rate *= parameters[own, 8, d]
            alive = alive_probability(family, x[i], t_x[i], tenure[i], p0, p1, p2, p3)
            value = amounts_rate * p / (amounts_shape - 1.0)
            alive_sum += alive
            value_sum += value
            nu = gamma(key, seed, _LEVEL, d, amounts_shape) / amounts_rate
            order_value[i, d] = p / nu
            waiting[i, d] = (p1 + tenure[i]) * math.expm1(math.log(2.0) / (p0 + x[i]))
            for h in range(horizons):
                orders[i, h, d], revenue[i, h, d], present[i, h, d] = 0.0, 0.0, 0.0
            if alive < _NEGLIGIBLE:
                continue
            dropout = 0.0
            if family != PARETO_NBD:
                chances = x[i] + 1.0 if family == MBG_NBD else x[i]
                dropout = max(beta(key, seed, _LEAVING, d, p2, p3 + chances), 1e-12)
            expect(
                family, x[i], tenure[i], p0, p1, p2, p3, dropout, grid, expected, density, bought
            )
            done, earlier = 0.0, density[0]
            for h in range(horizons):
                until = at[h]
                gain = alive * (expected[until] - done) * value
                # Orders of a step lie earlier than evenly spread where their density falls.
                tilt = (density[until] - earlier) / (density[until] + earlier)
                orders_mean[i, h] += alive * expected[until]
                revenue_mean[i, h] += gain
                present_mean[i, h] += gain * evenly[h] * (1.0 - slope[h] * tilt)
                bought_mean[i, h] += alive * bought[until]
                done, earlier = expected[until], density[until]
            luck, next_luck, last_luck, _ = words(key, seed, 0, _LUCK, d)
            if uniform(luck) >= alive:
                continue
            # Rates are integrated out of both times: most draws end here, without an order.
            shape, rate = p0 + x[i], p1 + tenure[i]
            next_order = rate * math.expm1(-math.log(uniform(next_luck)) / shape)
            if next_order >= weeks[-1]:
                continue
            if family == PARETO_NBD:
                last = (p3 + tenure[i]) * math.expm1(-math.log(uniform(last_luck)) / p2)
                if next_order >= last:
                    continue
            else:
                last = math.log(uniform(last_luck)) / math.log1p(-dropout)
                last = max(math.ceil(last), 1.0)
            rate = gamma(key, seed, _RATE, d, shape + 1.0) / (rate + next_order)
            simulate_path(
                family, key, seed, d, rate, next_order, last, p, nu,
                (weeks, calendar, evenly, force),
                orders[i, :, d], revenue[i, :, d], present[i, :, d],
            )  # fmt: skip
        for h in range(horizons):
            orders_mean[i, h] /= draws
            bought_mean[i, h] /= draws
            revenue_mean[i, h] /= draws
            present_mean[i, h] /= draws
            if h > 0:
                revenue_mean[i, h] += revenue_mean[i, h - 1]
                present_mean[i, h] += present_mean[i, h - 1]
        alive_mean[i] = alive_sum / draws
        order_value_mean[i] = value_sum / draws


def _build(blocks: int) -> Callable[..., None]:
    """The whole, compiled once, in about 7 s, and kept.

    `blocks` says which version of the building blocks is inside: numba itself looks at this file
    only.
    """

    def simulate_customers(  # type: ignore[no-untyped-def]
        family, seed, known, parameters, time, paths, by_draw, means, by_customer
    ):
        if blocks >= 0:
            _simulate(family, seed, known, parameters, time, paths, by_draw, means, by_customer)

    return kept(simulate_customers)


simulate_customers: Callable[..., None] = _build(
    zlib.crc32(
        b"".join(Path(str(part.__file__)).read_bytes() for part in (expectations, keyed_random))
    )
)
"""Fill the arrays of `predictive.Futures` for some customers, one by one.

Parameters
----------
family : int
seed : uint64
known : tuple
    keys (uint64), x, t_x, T, first, repeat, place among the sets of parameters (int64), all
    (customer,); times in weeks.
parameters : (set, 9, draw)
    r, alpha, a and b or s and beta, p, q, v, kappa (NaN: first orders do not count), factor on
    money.
time : tuple
    Weeks after T (time,), from 0 on; places of horizons therein (horizon,); weeks after T on the
    calendar, by which money is discounted (horizon,); force of discounting per week.
paths, by_draw, means, by_customer : tuples of arrays
    Written: orders, revenue, present value (customer, horizon, draw); order value and weeks to the
    next order (customer, draw); means of orders, revenue, present value and P(an order) (customer,
    horizon); P(alive) and mean order value (customer,).
"""
