"""What follows of a customer from history and parameters without chance: alive, expected orders.

Add here a quantity that has a formula given one draw of the parameters; numba compiles it.
Paths that are simulated are in `paths`, likelihoods in `purchases` and `pareto_nbd`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from models_py.lifetime_value.elementary import exp, expm1, log, log1p
from models_py.lifetime_value.keyed_random import OPTIONS, compiled

MBG_NBD, BG_NBD, PARETO_NBD = 0, 1, 2
_NODES, _WEIGHTS = (values / 2.0 for values in np.polynomial.legendre.leggauss(24))
_NODES = _NODES + 0.5
_CUT = 45.0  # an integrand that has fallen by e^-45 adds nothing


@njit(fastmath={"reassoc"}, **OPTIONS)
def product_sum(left, right):  # type: ignore[no-untyped-def]
    """Sum of products; the order of summing depends on the length alone."""
    total = 0.0
    for d in range(len(left)):
        total += left[d] * right[d]
    return total


@compiled
def pareto_alive(x, t_x, tenure, r, alpha, s, beta):  # type: ignore[no-untyped-def]
    """P(still a customer at T) in Pareto/NBD given the history and parameters, times in weeks.

    1 / (1 + s ratio of the integral over tau from t_x to T of (alpha + tau)^-(r + x)
    (beta + tau)^-(s + 1) to (alpha + T)^-(r + x) (beta + T)^-s), over u = ln((m + tau) /
    (m + t_x)), m the smaller of alpha and beta (`pareto_nbd.log_gone_to_alive`).
    """
    if tenure <= t_x:
        return 1.0
    shape = r + x
    near, far = min(alpha, beta), max(alpha, beta)
    slope, fall = (s, shape) if beta < alpha else (shape - 1.0, s + 1.0)
    depth = (alpha + t_x) * expm1(_CUT / max(shape - 1.0, 0.1))
    reach = log1p(min(tenure - t_x, depth) / (near + t_x))
    steps, integral = (near + t_x) / (far + t_x), 0.0
    for node in range(len(_NODES)):
        u = reach * _NODES[node]
        integral += _WEIGHTS[node] * exp(-slope * u - fall * log1p(steps * expm1(u)))
    span = log((alpha + tenure) / (alpha + t_x))
    odds = exp(shape * span + s * log((beta + tenure) / (beta + t_x)))
    return 1.0 / (1.0 + s * (near + t_x) / (beta + t_x) * reach * integral * odds)


@compiled
def alive_probability(family, x, t_x, tenure, at, alive):  # type: ignore[no-untyped-def]
    """P(still a customer at T) for each draw of `at` (parameter, draw), written into `alive`.

    MBG/NBD and BG/NBD: 1 / (1 + a / (b + n - 1) ((alpha + T) / (alpha + t_x))^(r + x)) with n
    chances to leave so far.
    """
    r, alpha, a, b = at[0], at[1], at[2], at[3]
    if family == PARETO_NBD:
        for d in range(len(alive)):
            alive[d] = pareto_alive(x, t_x, tenure, r[d], alpha[d], a[d], b[d])
        return
    chances = x + 1.0 if family == MBG_NBD else x
    if chances == 0.0:
        alive[:] = 1.0
        return
    for d in range(len(alive)):
        alive[d] = (r[d] + x) * log((alpha[d] + tenure) / (alpha[d] + t_x))
    for d in range(len(alive)):
        alive[d] = 1.0 / (1.0 + a[d] / (b[d] + (chances - 1.0)) * exp(alive[d]))


@compiled
def mean_discount(force, start, end):  # type: ignore[no-untyped-def]
    """Mean of e^(-force t) over `start` to `end`."""
    width = force * (end - start)
    if width < 1e-12:
        return exp(-force * start)
    return -exp(-force * start) * expm1(-width) / width


@compiled
def expect(family, x, tenure, at, dropout, grid, orders, density, bought):  # type: ignore[no-untyped-def]
    """Expected orders, their density per week and P(an order) of a customer who is there at T.

    Written into `orders`, `density`, `bought` (time, draw) for each time of `grid` (weeks after T,
    the first 0). MBG/NBD and BG/NBD given the dropout probability of each draw, Pareto/NBD given
    parameters only. P(an order) in Pareto/NBD takes the chance to stay as linear between times of
    `grid`.
    """
    if family == PARETO_NBD:
        _expect_pareto(x, tenure, at, grid, orders, density, bought)
        return
    r, alpha = at[0], at[1]
    draws = len(r)
    orders[0, :] = 0.0
    bought[0, :] = 0.0
    for d in range(draws):
        density[0, d] = (r[d] + x) / (alpha[d] + tenure)
    for i in range(1, len(grid)):
        ahead, into = grid[i], bought[i]
        for d in range(draws):
            into[d] = log1p(ahead / (alpha[d] + tenure))
        for d in range(draws):
            into[d] = -expm1(-(r[d] + x) * into[d])
        gone, expected, before = density[i], orders[i], orders[i - 1]
        for d in range(draws):
            gone[d] = log1p(dropout[d] * (ahead / (alpha[d] + tenure)))
        for d in range(draws):
            gone[d] = -expm1(-(r[d] + x) * gone[d])
        for d in range(draws):
            expected[d] = max(gone[d] / dropout[d], before[d])
        for d in range(draws):
            left = alpha[d] + tenure + dropout[d] * ahead
            gone[d] = (r[d] + x) * (1.0 - gone[d]) / left


@compiled
def _expect_pareto(x, tenure, at, grid, orders, density, bought):  # type: ignore[no-untyped-def]
    for d in range(at.shape[1]):
        shape, rate, s, since = at[0, d] + x, at[1, d] + tenure, at[2, d], at[3, d] + tenure
        orders[0, d], bought[0, d], density[0, d] = 0.0, 0.0, shape / rate
        silent_before, stays_before, step_before = 1.0, 1.0, 0.0
        for i in range(1, len(grid)):
            step = log1p(grid[i] / rate)
            silent = exp(-shape * step)
            log_stays = -log1p(grid[i] / since)  # per unit of s
            stays = exp(s * log_stays)
            if abs(s - 1.0) > 1e-7:
                reached = -expm1((s - 1.0) * log_stays) / (s - 1.0)
            else:
                reached = -log_stays
            orders[i, d] = shape / rate * since * reached
            density[i, d] = shape / rate * stays
            # Integral over the step of (linear chance to stay) x (density of the first order).
            width = grid[i] - grid[i - 1]
            if abs(shape - 1.0) > 1e-7:
                area = (rate + grid[i - 1]) * silent_before - (rate + grid[i]) * silent
                area /= shape - 1.0
            else:
                area = rate * (step - step_before)
            late = max(area - width * silent, 0.0) / width
            gain = (silent_before - silent) * stays_before - (stays_before - stays) * late
            bought[i, d] = bought[i - 1, d] + max(gain, 0.0)
            silent_before, stays_before, step_before = silent, stays, step
