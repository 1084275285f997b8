"""What frequent customers order after their first simulated orders: counts for each step.

Add here what is simulated by counts instead of one order at a time, one draw after the other.
Single orders and what they bring are in `paths`.
"""

from __future__ import annotations

import math

import numpy as np

from models_py.lifetime_value.expectations import PARETO_NBD, mean_discount
from models_py.lifetime_value.keyed_random import beta, compiled, gamma, poisson, uniform, words

# Streams of one customer. Those of LUCK and LEVEL serve four draws with a block; from STEPS on
# there are four for every horizon: amounts, orders and two for the time of the last order.
LUCK, LEVEL, LEVEL_AGAIN, DEATH, ORDERS, AMOUNTS, _RATE, _LEAVING, _STAYING, STEPS = range(10)


@compiled
def add(family, key, seed, draw, life, customer, time, counts, discounts):  # type: ignore[no-untyped-def]
    """Add the orders from the next one on, and their discounts, to those of each step.

    Given k orders and the time t of the next the rate is Gamma(r + x + k + 1, alpha + T + t).

    Parameters
    ----------
    family : int
    key, seed : uint64
    draw : int
    life : tuple
        Time t of the next order, end, in weeks of the customers' clock.
    customer : tuple
        r + x + k, alpha + T; a and b plus the chances to leave so far.
    time : tuple
        As in `paths`.
    counts, discounts : (horizon,)
    """
    t, final = life
    shape, scale, leave, stay = customer
    weeks, calendar, paces, force = time
    rate = gamma(key, seed, _RATE, draw, shape + 1.0) / (scale + t)
    left, start = np.inf, 0.0
    if family != PARETO_NBD:
        dropout = max(beta(key, seed, _LEAVING, draw, leave, stay), 1e-12)
        luck = uniform(words(key, seed, 0, DEATH, draw)[0])
        left = max(math.ceil(math.log(luck) / math.log1p(-dropout)), 1.0)
    for h in range(len(weeks)):
        end = min(weeks[h], final)
        if t < end and left > 0.0:
            begin = max(t, start)
            comes = 1.0 if t >= start else 0.0
            # Back from the end of the step, where both clocks are known.
            since = calendar[h] - (weeks[h] - begin) * paces[h]
            until = calendar[h] - (weeks[h] - end) * paces[h]
            count = poisson(key, seed, STEPS + 4 * h + 1, draw, rate * (end - begin))
            discount = comes * math.exp(-force * since)
            after = left - comes
            if count <= after:
                discount += count * mean_discount(force, since, until)
            elif after > 0.0:
                # The last order is that of number `after` among `count` uniform times.
                share = beta(key, seed, STEPS + 4 * h + 2, draw, after, count - after + 1.0)
                last = since + (until - since) * share
                discount += (after - 1.0) * mean_discount(force, since, last)
                discount += math.exp(-force * last)
            count = comes + min(count, after)
            left -= count
            counts[h] += count
            discounts[h] += discount
        start = weeks[h]
