"""When customers buy and when they stop, with a dropout that any moment may bring: Pareto/NBD.

Add here what follows from exponential lifetimes with gamma heterogeneity.
Models in which a customer can leave at a purchase only are in `purchases`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

PARAMETERS = ("r", "alpha", "s", "beta")
_NODES = 48


@cache
def _quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights on (0, 1)."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1.0) / 2.0, weights / 2.0


def log_gone_to_alive(
    data: Mapping[str, Any], r: Any, alpha: Any, s: Any, beta: Any, xp: Any = np
) -> Any:
    """Log odds that a customer with this history has left, (group,).

    With lambda ~ Gamma(r, rate alpha) and mu ~ Gamma(s, rate beta),

        L = C [ (alpha+T)^-(r+x) (beta+T)^-s  +  s I ],
        I = integral over tau from t_x to T of (alpha+tau)^-(r+x) (beta+tau)^-(s+1)

    (Schmittlein, Morrison & Colombo 1987; Fader & Hardie 2005, "A note on deriving the Pareto/NBD
    model", eq. 20). The integral is usually written with two hypergeometric functions, which lose
    digits by cancellation. Over u = log((alpha+tau)/(alpha+t_x)) the integrand is a product of
    exponentials: smooth, positive, and cut where it has fallen by e^-45. Against adaptive
    quadrature the log odds are right to 1e-9 for x up to 300 and times up to 400 weeks.
    """
    nodes, weights = _quadrature()
    x, t_x, tenure = data["x"], data["t_x"], data["T"]
    span = xp.log((alpha + tenure) / (alpha + t_x))
    span = xp.minimum(span, 45.0 / xp.maximum(r + x - 1.0, 0.1))
    u = span[:, None] * nodes  # (group, node)
    tau = (alpha + t_x)[:, None] * xp.expm1(u)  # weeks after t_x
    log_value = -(r + x - 1.0)[:, None] * u - (s + 1.0) * xp.log((beta + t_x)[:, None] + tau)
    highest = xp.max(log_value, axis=1)
    integral = xp.sum(xp.exp(log_value - highest[:, None]) * weights, axis=1)
    # T = t_x leaves no time to go unseen: the integral is 0 and the odds next to nothing.
    return (
        xp.log(s)
        + xp.log(span * integral + 1e-300)
        + highest
        - (r + x - 1.0) * xp.log(alpha + t_x)
        + (r + x) * xp.log(alpha + tenure)
        + s * xp.log(beta + tenure)
    )


def log_likelihood(
    data: Mapping[str, Any], r: Any, alpha: Any, s: Any, beta: Any, xp: Any = np
) -> Any:
    """Log-likelihood of all customers; the same lines run in NumPy and in PyTensor (`xp`).

    `data` holds what `purchases.statistics` makes; gamma functions of r + x are products over
    whole steps, so that they are computed once per step and not per customer.
    """
    x, tenure, step = data["x"], data["T"], data["step"]
    gone = log_gone_to_alive(data, r, alpha, s, beta, xp)
    softplus = (lambda value: np.logaddexp(0.0, value)) if xp is np else xp.softplus
    per_group = (
        r * xp.log(alpha)
        + s * xp.log(beta)
        - (r + x) * xp.log(alpha + tenure)
        - s * xp.log(beta + tenure)
        + softplus(gone)
    )
    products = xp.sum(data["beyond_x"] * xp.log(r + step))
    return xp.sum(data["customers"] * per_group) + products


def alive_probability(data: Mapping[str, Any], r: Any, alpha: Any, s: Any, beta: Any) -> np.ndarray:
    """P(still a customer at T), (group,)."""
    odds = log_gone_to_alive(data, r, alpha, s, beta, np)
    alive: np.ndarray = 1.0 / (1.0 + np.exp(np.minimum(odds, 700.0)))
    return alive


def expected_purchases(
    data: Mapping[str, Any], weeks: float, r: float, alpha: float, s: float, beta: float
) -> np.ndarray:
    """Expected purchases in the next `weeks` given the history, (group,).

    Fader & Hardie (2005), eq. 41; s = 1 is its limit, a logarithm.
    """
    shape = (r + data["x"]) * (beta + data["T"]) / (alpha + data["T"])
    growth = np.log((beta + data["T"]) / (beta + data["T"] + weeks))
    power = -np.expm1((s - 1.0) * growth) / (s - 1.0) if abs(s - 1.0) > 1e-9 else -growth
    expected: np.ndarray = shape * power * alive_probability(data, r, alpha, s, beta)
    return expected
