"""What follows of a customer from history and parameters without chance: alive, expected orders.

Add here a quantity that has a formula given one draw of the parameters; numba compiles it.
Paths that are simulated are in `kernels`, likelihoods in `purchases` and `pareto_nbd`.
"""

from __future__ import annotations

import math

import numpy as np

from models_py.lifetime_value.keyed_random import compiled

MBG_NBD, BG_NBD, PARETO_NBD = 0, 1, 2
_NODES, _WEIGHTS = (values / 2.0 for values in np.polynomial.legendre.leggauss(24))
_NODES = _NODES + 0.5
_CUT = 45.0  # an integrand that has fallen by e^-45 adds nothing


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
