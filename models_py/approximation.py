"""Posterior draws without a Markov chain: mode, curvature, t proposals, importance weights.

Add here what approximates a density of few dimensions and says how far it can be trusted.
Densities belong to the model families, health of Markov chains to `posterior`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models_py import posterior
from models_py.threads import in_order

_DEGREES_OF_FREEDOM = 5.0
_ADAPTING_ROUNDS = 8
_ADAPTING_PROPOSALS = 1024
_GOOD_K_HAT = 0.5
_ENOUGH_WEIGHTS = 200.0


def approximate(
    log_density: Callable[[np.ndarray], float],
    start: np.ndarray,
    draws_count: int,
    random_state: int,
    proposals_count: int = 4096,
) -> tuple[np.ndarray, dict[str, float]]:
    """Draw from a density given up to a constant, on unbounded parameters.

    The mode is found, the curvature around it measured over one standard deviation in each
    direction (a difference over less sees the kinks of sums of logarithms, not the posterior), and
    a multivariate t of that place and shape proposes. Importance weights correct it: each round
    proposes from the weighted moments of the round before. Where few proposals would carry all
    weight, the weights are tempered first, so that a posterior with long curved tails (dropout of
    1,500 customers) is walked towards instead of missed.

    Parameters
    ----------
    log_density : callable
        Of one parameter vector (parameter,); called by several threads at a time.
    start : ndarray (parameter,)
    draws_count : int
    random_state : int
    proposals_count : int
        A power of two: proposals are a scrambled Sobol sequence.

    Returns
    -------
    (ndarray, dict)
        Equally weighted draws (draw, parameter) in random order, and ``k_hat`` (the tail of the
        weights: above 0.7 they cannot be trusted), ``ess`` of the weights.

    Raises
    ------
    ValueError
        When the density is not finite at `start`.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), "Pareto smoothed importance sampling", JMLR 25.
    """
    generator = np.random.default_rng(random_state)
    centre, factor = _mode_and_curvature(log_density, np.asarray(start, dtype="float64"))
    for _ in range(_ADAPTING_ROUNDS):
        points, log_weights = _round(log_density, centre, factor, _ADAPTING_PROPOSALS, generator)
        k_hat = posterior.smoothed_weights(log_weights)[1]
        centre, factor = _moments(points, log_weights)
        if k_hat < _GOOD_K_HAT:
            break
    points, log_weights = _round(log_density, centre, factor, proposals_count, generator)
    weights, k_hat = posterior.smoothed_weights(log_weights)
    kept = _resample(weights, draws_count, generator)
    return points[kept], {"k_hat": float(k_hat), "ess": float(1.0 / np.sum(weights**2))}


def _mode_and_curvature(
    log_density: Callable[[np.ndarray], float], start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mode, and a factor F such that F F' is the inverse of the curvature there."""
    from scipy.optimize import minimize

    if not np.isfinite(log_density(start)):
        raise ValueError(f"the log density is not finite at its start {start.tolist()}.")

    def loss(point: np.ndarray) -> float:
        value = log_density(point)
        return -value if np.isfinite(value) else 1e300

    found = minimize(loss, start, method="BFGS")
    mode = minimize(loss, found.x, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8}).x
    factor = np.linalg.cholesky(np.asarray(found.hess_inv) + 1e-10 * np.eye(len(mode)))
    for _ in range(3):
        factor = _refined(loss, mode, factor)
    return mode, factor


def _refined(
    loss: Callable[[np.ndarray], float], mode: np.ndarray, factor: np.ndarray
) -> np.ndarray:
    """Measure the curvature again along the columns of `factor`, a standard deviation each way."""
    count = len(mode)
    at_mode = loss(mode)
    single = np.array(
        [[loss(mode + sign * factor[:, i]) for sign in (1, -1)] for i in range(count)]
    )
    hessian = np.diag(single.sum(axis=1) - 2.0 * at_mode)
    for i in range(count):
        for j in range(i):
            both = loss(mode + factor[:, i] + factor[:, j]) + loss(
                mode - factor[:, i] - factor[:, j]
            )
            mixed = (both - single[i].sum() - single[j].sum() + 2.0 * at_mode) / 2.0
            hessian[i, j] = hessian[j, i] = mixed
    values, vectors = np.linalg.eigh(hessian)
    # A flat or bent direction must not become an endless one.
    return factor @ (vectors / np.sqrt(np.clip(values, 0.05, 1e6)))


def _round(
    log_density: Callable[[np.ndarray], float],
    centre: np.ndarray,
    factor: np.ndarray,
    count: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Proposals (proposal, parameter) and the logs of their weights (proposal,)."""
    points, log_proposal = _propose(centre, factor, count, generator)
    log_weights = np.array(list(in_order(log_density, points))) - log_proposal
    possible = np.isfinite(log_weights)
    log_weights = np.where(possible, log_weights, np.min(log_weights[possible]) - 700.0)
    return points, log_weights - log_weights.max()


def _moments(points: np.ndarray, log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the proposals under weights of power one or less, and the factor of a t around it."""
    power = 1.0
    weights = posterior.normalised(log_weights)
    while 1.0 / np.sum(weights**2) < _ENOUGH_WEIGHTS and power > 1e-3:
        power *= 0.8
        weights = posterior.normalised(power * log_weights)
    centre = weights @ points
    offsets = points - centre
    covariance = (offsets * weights[:, None]).T @ offsets
    # A t of this scale has the covariance that was measured.
    spread = covariance * (_DEGREES_OF_FREEDOM - 2.0) / _DEGREES_OF_FREEDOM
    return centre, np.linalg.cholesky(spread + 1e-12 * np.diag(np.diag(covariance)))


def _propose(
    centre: np.ndarray, factor: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    from scipy import stats

    dimension, df = len(centre), _DEGREES_OF_FREEDOM
    uniform = stats.qmc.Sobol(dimension + 1, rng=generator).random(count)
    uniform = np.clip(uniform, 1e-12, 1 - 1e-12)
    normal = stats.norm.ppf(uniform[:, :dimension])
    stretch = np.sqrt(df / stats.chi2.ppf(uniform[:, dimension], df))
    standard = normal * stretch[:, None]
    shape = (df + dimension) / 2.0
    return centre + standard @ factor.T, -shape * np.log1p(np.sum(standard**2, axis=1) / df)


def _resample(weights: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Stratified resampling, shuffled: draws of two models are multiplied index by index."""
    levels = (np.arange(count) + generator.random(count)) / count
    kept = np.searchsorted(np.cumsum(weights), levels * (1 - 1e-12))
    return generator.permutation(kept)
