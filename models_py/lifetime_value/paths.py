"""Simulated futures of one customer: when orders come, when they end, what they bring.

Add here what happens along a path. All draws of a customer take their first order together, then
their second, so that loops over draws are vector code; what comes late is in `late_orders`.
How chances are computed is in `expectations`, which draws have a path at all in `kernels`.
"""

from __future__ import annotations

import math

import numpy as np

from models_py.lifetime_value import late_orders
from models_py.lifetime_value.elementary import cos_sin, exp, expm1, log
from models_py.lifetime_value.expectations import PARETO_NBD
from models_py.lifetime_value.keyed_random import compiled, gamma_of, split, uniform, words
from models_py.lifetime_value.late_orders import AMOUNTS, DEATH, ORDERS, STEPS

# So many orders are simulated one by one, what comes after them by Poisson counts: a gamma, a beta
# and a count cost about as much as twenty orders.
_SINGLE = 16
# Revenue draws are rounded to 1/1024 of a currency unit, so that sums of them are exact in float64
# up to 8.8e12 and totals do not depend on how customers are cut into batches.
_REVENUE_STEP = 1024.0
ROWS = 14
"""Rows of workspace, (row, draw)."""


@compiled
def normals(one, other):  # type: ignore[no-untyped-def]
    """Turn pairs of uniform numbers into pairs of normal ones, in place (Box & Muller 1958)."""
    for j in range(len(one)):
        one[j] = -2.0 * log(one[j])
    for j in range(len(one)):
        across, up = cos_sin(other[j])
        radius = math.sqrt(one[j])
        one[j] = radius * across
        other[j] = radius * up


@compiled
def simulate_paths(  # type: ignore[no-untyped-def]
    family, key, seed, found, chances, customer, spend, time, work, counts, discounts, paths_of
):
    """Futures, cumulative at each horizon, of the draws `found`.

    Rate and dropout are integrated out: after k orders by time t the next gap is Lomax with shape
    r + x + k and scale alpha + T + t, and in MBG/NBD and BG/NBD a customer who stayed at n chances
    leaves at the next with probability a / (a + b + n). In Pareto/NBD life ends at a Lomax time.

    Parameters
    ----------
    family : int
    key, seed : uint64
    found : (path,) of int
        Draws that have a path.
    chances : (path,)
        Uniform below P(an order before the last horizon): the share of customers like this one
        whose next order comes earlier.
    customer : tuple
        x, T, chances to leave so far (Pareto/NBD: T), parameters (parameter, draw).
    spend : (draw,)
        Order values p / nu.
    time : tuple
        Horizons (weeks of the customers' clock), the same in weeks of the calendar, weeks of the
        calendar per week of the clock in each step, force of discounting.
    work, counts, discounts : (ROWS, draw), (horizon, draw) twice
        Workspace.
    paths_of : tuple of (horizon, draw)
        Orders, revenue, present value; written where an order has come.
    """
    x, tenure, since, at = customer
    weeks, calendar, paces, force = time
    t, shape, scale, leave, stay = work[0], work[1], work[2], work[3], work[4]
    end, rest, day, steps, slots = work[5], work[6], work[7], work[8], work[9]
    last_step, active = len(weeks) - 1, len(found)
    for j in range(active):
        d = found[j]
        shape[j], scale[j] = at[0, d] + x, at[1, d] + tenure
        leave[j], stay[j] = at[2, d], at[3, d] + since
        end[j], slots[j], t[j] = weeks[last_step], j, 1.0 - chances[j]
    for j in range(active):
        t[j] = -log(t[j]) / shape[j]
    for j in range(active):
        t[j] = scale[j] * expm1(t[j])
    if family == PARETO_NBD:
        for j in range(active):
            rest[j] = uniform(words(key, seed, 0, DEATH, found[j])[0])
        for j in range(active):
            end[j] = min(end[j], stay[j] * expm1(-log(rest[j]) / leave[j]))
    for h in range(len(weeks)):
        for j in range(active):
            counts[h, j], discounts[h, j] = 0.0, 0.0
    rest[:active] = 1.0
    active = _compact(work, active)
    for made in range(1, _SINGLE + 1):
        if active == 0:
            break
        if made % 4 == 1:
            for j in range(active):
                four = words(key, seed, made // 4, ORDERS, found[int(slots[j])])
                work[10, j], work[11, j] = uniform(four[0]), uniform(four[1])
                work[12, j], work[13, j] = uniform(four[2]), uniform(four[3])
        for j in range(active):
            steps[j] = 0.0
        for h in range(last_step):
            for j in range(active):
                steps[j] += 1.0 if t[j] >= weeks[h] else 0.0
        for j in range(active):
            h = int(steps[j])
            # Back from the end of the step, where both clocks are known.
            day[j] = -force * (calendar[h] - (weeks[h] - t[j]) * paces[h])
        for j in range(active):
            day[j] = exp(day[j])
        for j in range(active):
            h, slot = int(steps[j]), int(slots[j])
            counts[h, slot] += 1.0
            discounts[h, slot] += day[j]
        luck = work[10 + (made - 1) % 4]
        if family == PARETO_NBD:
            for j in range(active):
                rest[j] = luck[j]
        else:
            for j in range(active):
                leaves = leave[j] / (leave[j] + stay[j])
                rest[j] = (luck[j] - leaves) / (1.0 - leaves)
            for j in range(active):
                stay[j] += 1.0
        for j in range(active):
            day[j] = -log(max(rest[j], 1e-300)) / (shape[j] + made)
        for j in range(active):
            t[j] += (scale[j] + t[j]) * expm1(day[j])
        active = _compact(work, active)
    for j in range(active):
        slot = int(slots[j])
        late_orders.add(
            family, key, seed, found[slot], (t[j], end[j]),
            (shape[j] + _SINGLE, scale[j], leave[j], stay[j]), time,
            counts[:, slot], discounts[:, slot],
        )  # fmt: skip
    _amounts(key, seed, found, at[4], spend, work, counts, discounts, paths_of)


@compiled
def _compact(work, active):  # type: ignore[no-untyped-def]
    """Keep those who stayed (row 6 above 0) and order before their end, in their order."""
    number = 0
    for j in range(active):
        is_kept = (work[6, j] > 0.0) & (work[0, j] < work[5, j])
        for row in (0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13):
            work[row, number] = work[row, j]
        number += is_kept
    return number


@compiled
def _amounts(key, seed, found, p, spend, work, counts, discounts, paths_of):  # type: ignore[no-untyped-def]
    """Draw what the orders of each step bring, and write all three quantities."""
    orders, revenue, present = paths_of
    number = len(found)
    bought, money, discounted = work[0], work[1], work[2]
    bought[:number] = 0.0
    money[:number] = 0.0
    discounted[:number] = 0.0
    for h in range(len(counts)):
        if h % 4 == 0:
            for j in range(number):
                four = words(key, seed, h // 4, AMOUNTS, found[j])
                work[3, j], work[7, j] = split(four[0])
                work[4, j], work[8, j] = split(four[1])
                work[5, j], work[9, j] = split(four[2])
                work[6, j], work[10, j] = split(four[3])
            normals(work[3, :number], work[4, :number])
            normals(work[5, :number], work[6, :number])
        z, u = work[3 + h % 4], work[7 + h % 4]
        for j in range(number):
            d, count = found[j], counts[h, j]
            if count > 0.0:
                drawn = gamma_of(z[j], u[j], key, seed, STEPS + 4 * h, d, p[d] * count)
                drawn *= spend[d] / p[d]
                drawn = np.rint(drawn * _REVENUE_STEP) / _REVENUE_STEP
                bought[j] += count
                money[j] += drawn
                discounted[j] += drawn * (discounts[h, j] / count)
            orders[h, d], revenue[h, d], present[h, d] = bought[j], money[j], discounted[j]
