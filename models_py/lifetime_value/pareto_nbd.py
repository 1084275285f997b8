"""When customers buy and when they stop, with a dropout that any moment may bring: Pareto/NBD.

Add here what follows from exponential lifetimes with gamma heterogeneity.
Models in which a customer can leave at a purchase only are in `purchases`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from models_py.lifetime_value.grouped_model import GroupedModel

PARAMETERS = ("r", "alpha", "s", "beta")
# Against adaptive quadrature the log of the integral is right to 3e-14 with 24 nodes (16: 3e-8),
# for x up to 300, times up to 400 weeks and alpha and beta from 0.05 to 1,000 weeks.
_NODES = 24
# The integrand is cut where it has fallen by e^-45.
_DEPTH = 45.0


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
    digits by cancellation. Over u = log((m+tau)/(m+t_x)), m the smaller of alpha and beta, the
    integrand is smooth and positive, and its singularities in the complex plane are at least pi
    away, so that few Gauss-Legendre nodes are exact to rounding.
    """
    nodes, weights = _quadrature()
    x, t_x, tenure = data["x"], data["t_x"], data["T"]
    near, far = xp.minimum(alpha, beta), xp.maximum(alpha, beta)
    alpha_is_near = xp.where(alpha <= beta, 1.0, 0.0)
    near_power = alpha_is_near * (r + x) + (1.0 - alpha_is_near) * (s + 1.0)  # (group,)
    far_power = (r + x) + (s + 1.0) - near_power
    depth = (alpha + t_x) * xp.expm1(_DEPTH / xp.maximum(r + x - 1.0, 0.1))
    span = xp.log1p(xp.minimum(tenure - t_x, depth) / (near + t_x))
    u = span[:, None] * nodes  # (group, node)
    tau = xp.expm1(u) * ((near + t_x) / (far + t_x))[:, None]
    integrand = xp.exp(-(near_power - 1.0)[:, None] * u - far_power[:, None] * xp.log1p(tau))
    integral = span * xp.sum(integrand * weights, axis=1)
    # T = t_x leaves no time to go unseen: the integral is 0 and the odds next to nothing.
    return (
        xp.log(s)
        + xp.log(integral + 1e-300)
        + xp.log((near + t_x) / (beta + t_x))
        + (r + x) * xp.log((alpha + tenure) / (alpha + t_x))
        + s * xp.log((beta + tenure) / (beta + t_x))
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
    per_group = (
        r * xp.log(alpha)
        + s * xp.log(beta)
        - (r + x) * xp.log(alpha + tenure)
        - s * xp.log(beta + tenure)
        + xp.maximum(gone, 0.0)
        + xp.log1p(xp.exp(-abs(gone)))
    )
    products = xp.sum(data["beyond_x"] * xp.log(r + step))
    return xp.sum(data["customers"] * per_group) + products


def _natural(numbers: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> dict[str, Any]:
    s = xp.exp(numbers["log_s"])
    # Half of all lifetimes are shorter than beta (2^(1/s) - 1).
    halvings = xp.expm1(xp.minimum(np.log(2.0) / s, 500.0))
    return {
        "r": xp.exp(numbers["log_r"]),
        "alpha": xp.exp(numbers["log_r"] - numbers["log_rate"]),
        "s": s,
        "beta": xp.exp(numbers["log_lifetime"]) / halvings,
    }


# ln r and ln(r/alpha) as in `purchases`. ln s: 95 % from 0.14 (lifetimes very unequal) to 7.
# Half of all customers stay, with 95 %, for less than 1 week to 50 years, since shops without
# visible dropout leave it unidentified. Data know this median nearly independently of s; told by
# the mean rate s/beta instead, the posterior of CDNOW is a bent ridge that no t follows.
PRIORS = {
    "log_r": ("normal", 0.0, 1.0),
    "log_rate": ("normal", float(np.log(1 / 8)), 2.0),
    "log_s": ("normal", 0.0, 1.0),
    "log_lifetime": ("normal", float(np.log(52.0)), 2.0),
}
MODEL = GroupedModel(
    "pareto_nbd",
    PRIORS,
    PARAMETERS,
    _natural,
    lambda data, at, xp: log_likelihood(data, at["r"], at["alpha"], at["s"], at["beta"], xp),
)


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
