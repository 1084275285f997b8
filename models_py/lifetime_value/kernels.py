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

from models_py.lifetime_value import keyed_random
from models_py.lifetime_value.keyed_random import compiled
from models_py.order_statistics import kept

MBG_NBD, BG_NBD, PARETO_NBD = 0, 1, 2
# Streams of one customer and draw. From _STEPS on there are four for every horizon: orders, amounts
# and two for the time of the last order.
_LUCK, _LEAVING, _STAYING, _LEVEL, _RATE, _STEPS = range(6)
_NODES, _WEIGHTS = (values / 2.0 for values in np.polynomial.legendre.leggauss(24))
_NODES = _NODES + 0.5
_CUT = 45.0  # an integrand that has fallen by e^-45 adds nothing
_NEGLIGIBLE = 1e-9  # chance of being alive: such a draw counts as gone
# Revenue draws are rounded to 1/1024 of a currency unit, so that sums of them are exact in float64
# up to 8.8e12 and totals do not depend on how customers are cut into batches.
_REVENUE_STEP = 1024.0

beta, gamma, poisson = keyed_random.beta, keyed_random.gamma, keyed_random.poisson
uniform, words = keyed_random.uniform, keyed_random.words


@compiled
def alive_probability(family, x, t_x, tenure, p0, p1, p2, p3):  # type: ignore[no-untyped-def]
    """P(still a customer at T) given the history and parameters, times in weeks.

    MBG/NBD and BG/NBD: 1 / (1 + a / (b + n - 1) ((alpha + T) / (alpha + t_x))^(r + x)) with n
    chances to leave so far. Pareto/NBD: 1 / (1 + s ratio of the integral over tau from t_x to T of
    (alpha + tau)^-(r + x) (beta + tau)^-(s + 1) to (alpha + T)^-(r + x) (beta + T)^-s), over u =
    ln((m + tau) / (m + t_x)), m the smaller of alpha and beta (`pareto_nbd.log_gone_to_alive`).
    """
    shape = p0 + x
    span = math.log((p1 + tenure) / (p1 + t_x))
    if family != PARETO_NBD:
        chances = x + 1.0 if family == MBG_NBD else x
        if chances == 0.0:
            return 1.0
        return 1.0 / (1.0 + p2 / (p3 + chances - 1.0) * math.exp(shape * span))
    if tenure <= t_x:
        return 1.0
    near, far = min(p1, p3), max(p1, p3)
    slope, fall = (p2, shape) if p3 < p1 else (shape - 1.0, p2 + 1.0)
    depth = (p1 + t_x) * math.expm1(_CUT / max(shape - 1.0, 0.1))
    reach = math.log1p(min(tenure - t_x, depth) / (near + t_x))
    steps, integral = (near + t_x) / (far + t_x), 0.0
    for node in range(len(_NODES)):
        u = reach * _NODES[node]
        integral += _WEIGHTS[node] * math.exp(-slope * u - fall * math.log1p(steps * math.expm1(u)))
    odds = math.exp(shape * span + p2 * math.log((p3 + tenure) / (p3 + t_x)))
    return 1.0 / (1.0 + p2 * (near + t_x) / (p3 + t_x) * reach * integral * odds)


@compiled
def expect(  # type: ignore[no-untyped-def]
    family, x, tenure, p0, p1, p2, p3, dropout, grid, orders, density, bought
):
    """Expected orders, their density per week and P(an order) of a customer who is there at T.

    Written into `orders`, `density`, `bought`, one number per time of `grid` (weeks after T, the
    first 0). MBG/NBD and BG/NBD given the dropout probability, Pareto/NBD given parameters only:
    what can be integrated is not simulated, since 400 draws of a rate leave 7 % of noise in the
    mean of a one-time buyer. P(an order) in Pareto/NBD takes the chance to stay as linear between
    times of `grid`.
    """
    shape, rate = p0 + x, p1 + tenure
    orders[0], bought[0], density[0] = 0.0, 0.0, shape / rate
    silent_before, stays_before = 1.0, 1.0
    for i in range(1, len(grid)):
        step = math.log1p(grid[i] / rate)
        silent = math.exp(-shape * step)
        if family != PARETO_NBD:
            left = dropout * grid[i] / rate
            gone = -math.expm1(-shape * math.log1p(left))
            orders[i] = gone / dropout
            density[i] = shape / rate * (1.0 - gone) / (1.0 + left)
            bought[i] = 1.0 - silent
            continue
        log_stays = -math.log1p(grid[i] / (p3 + tenure))  # per unit of s
        stays = math.exp(p2 * log_stays)
        if abs(p2 - 1.0) > 1e-7:
            reached = -math.expm1((p2 - 1.0) * log_stays) / (p2 - 1.0)
        else:
            reached = -log_stays
        orders[i] = shape / rate * (p3 + tenure) * reached
        density[i] = shape / rate * stays
        # Integral over the step of (linear chance to stay) x (density of the first order).
        width = grid[i] - grid[i - 1]
        if abs(shape - 1.0) > 1e-7:
            area = ((rate + grid[i - 1]) * silent_before - (rate + grid[i]) * silent) / (
                shape - 1.0
            )
        else:
            area = rate * (step - math.log1p(grid[i - 1] / rate))
        late = max(area - width * silent, 0.0) / width
        gain = (silent_before - silent) * stays_before - (stays_before - stays) * late
        bought[i] = bought[i - 1] + gain
        silent_before, stays_before = silent, stays


@compiled
def mean_discount(force, start, end):  # type: ignore[no-untyped-def]
    """Mean of e^(-force t) over `start` to `end`."""
    width = force * (end - start)
    if width < 1e-12:
        return math.exp(-force * start)
    return -math.exp(-force * start) * math.expm1(-width) / width


@compiled
def simulate_path(  # type: ignore[no-untyped-def]
    family, key, seed, draw, rate, first, last, shape, nu, time, orders, revenue, present
):
    """One future of a customer whose next order comes at `first`, cumulative at each of `weeks`.

    Later orders are Poisson over the part of a step in which the customer stays, and cease with
    number `last` (MBG/NBD, BG/NBD) or at time `last` in weeks (Pareto/NBD). Money is discounted at
    the mean factor of the time its orders are spread over.
    """
    weeks, evenly, force = time
    bought, money, discounted, start = 0.0, 0.0, 0.0, 0.0
    for h in range(len(weeks)):
        end = weeks[h]
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
                factor = evenly[h] if stop == end else mean_discount(force, start, stop)
        elif bought < last:
            count = comes + poisson(key, seed, stream, draw, rate * (end - begin))
            left = last - bought
            if count > left:
                # The last order is the left-th of `count` uniform times.
                share = beta(key, seed, stream + 2, draw, left, count - left + 1.0)
                final = start + (end - start) * share
                early = mean_discount(force, start, final)
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
    grid, at, force = time
    orders, revenue, present = paths
    order_value, waiting = by_draw
    orders_mean, revenue_mean, present_mean, bought_mean = means
    alive_mean, order_value_mean = by_customer
    draws, horizons, times = parameters.shape[2], len(at), len(grid)
    weeks, evenly, slope = np.empty(horizons), np.empty(horizons), np.empty(horizons)
    for h in range(horizons):
        weeks[h] = grid[at[h]]
        before = 0.0 if h == 0 else grid[at[h - 1]]
        evenly[h] = mean_discount(force, before, weeks[h])
        slope[h] = force * (weeks[h] - before) / 6.0
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
                family, key, seed, d, rate, next_order, last, p, nu, (weeks, evenly, force),
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
    zlib.crc32(Path(keyed_random.__file__).read_bytes())
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
    Weeks after T (time,), from 0 on; places of horizons therein (horizon,); force of discounting
    per week.
paths, by_draw, means, by_customer : tuples of arrays
    Written: orders, revenue, present value (customer, horizon, draw); order value and weeks to the
    next order (customer, draw); means of orders, revenue, present value and P(an order) (customer,
    horizon); P(alive) and mean order value (customer,).
"""
