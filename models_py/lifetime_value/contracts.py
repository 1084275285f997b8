"""How long contracts last: the shifted beta-geometric model, cohorts pooled.

Add here likelihoods and priors of renewals.
What a contract is worth is in `contract_value`; customers without a contract, who leave unseen, are
`purchases`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.approximation import approximate
from models_py.frames import CONTRACT_GROUPS, require_columns, require_complete, to_float

NEW_COHORT = "*"

# Location and scale of the prior means over cohorts, of the logit of the share lost at the first
# renewal (0.2, from 0.01 to 0.8) and of ln(alpha + beta) (3, from 0.2 to 60); both vary between
# cohorts with a standard deviation ~ half-normal(0.5), which likes neither none nor much.
_CENTRE = np.array([np.log(0.2 / 0.8), np.log(3.0)])
_WIDTH = np.array([1.5, 1.5])
_SPREAD = 0.5
_NEWTON_STEPS = 6
_LONGEST_STEP = 2.0
_NODES = 5
_NODE, _WEIGHT = np.polynomial.hermite_e.hermegauss(_NODES)
_GRID = np.stack([grid.ravel() for grid in np.meshgrid(_NODE, _NODE)], axis=1)  # (node, 2)
_LOG_WEIGHT = np.log(np.outer(_WEIGHT, _WEIGHT).ravel() / (2 * np.pi)) + 0.5 * np.sum(
    _GRID**2, axis=1
)
_CANDIDATES = 64
# Twice what keeps the usual gate of 400 effective draws.
_PROPOSALS = 2048


@dataclass(frozen=True)
class Renewals:
    """Sufficient statistics of renewals.

    Attributes
    ----------
    cohorts : tuple of str
    stay, leave : ndarray (cohort, renewal)
        Contracts that were renewed, and that ended, at each renewal opportunity.
    """

    cohorts: tuple[str, ...]
    stay: np.ndarray
    leave: np.ndarray


def statistics(groups: pd.DataFrame) -> Renewals:
    """Count renewals and ends by cohort and opportunity.

    Parameters
    ----------
    groups : DataFrame
        Columns of `frames.CONTRACT_GROUPS`.

    Raises
    ------
    ValueError
        For missing columns, NULL, no contract, or counts that contradict each other.
    """
    table = "contract groups"
    require_columns(groups, CONTRACT_GROUPS, table)
    require_complete(groups, CONTRACT_GROUPS, table, "Leave out contracts without a start.")
    cohort = groups["cohort"].astype(str).to_numpy(dtype=object)
    passed = to_float(groups["renewals_count"], table, whole=True)
    count = to_float(groups["contracts_count"], table, whole=True)
    ended = groups["is_ended"].to_numpy(dtype=bool)
    wrong = (passed < 0) | (count < 1) | (ended & (passed < 1))
    if wrong.any() or not len(groups):
        raise ValueError(
            f"{table}: {int(wrong.sum())} of {len(groups)} rows have no contract, a negative "
            "count, or an end before any renewal. Count an end as of the renewal it refused, 1 or "
            "later."
        )
    names = tuple(sorted(set(cohort)))
    if NEW_COHORT in names:
        raise ValueError(f"{table}.cohort holds {NEW_COHORT!r}, which stands for a new cohort.")
    row = np.array([names.index(name) for name in cohort])
    opportunity = np.arange(max(int(passed.max()), 1))
    shape = (len(names), len(opportunity))
    stay, leave = np.zeros(shape), np.zeros(shape)
    renewed = passed - ended
    np.add.at(stay, row, count[:, None] * (opportunity < renewed[:, None]))
    np.add.at(leave, (row[ended], passed[ended].astype(int) - 1), count[ended])
    return Renewals(names, stay, leave)


def log_likelihood(data: Renewals, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Log-likelihood of each cohort, shape of `alpha`, whose last axis runs over cohorts.

    A contract ends at each renewal with a probability of its own, Beta(alpha, beta). Of those who
    have renewed j times a share (beta + j)/(alpha + beta + j) renews again, so that counts of
    renewals and ends by opportunity are all there is to know.

    References
    ----------
    Fader & Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing
    21(1), eq. 5-7.
    """
    j = np.arange(data.stay.shape[1])
    a, b = np.asarray(alpha)[..., None], np.asarray(beta)[..., None]
    each = (
        data.stay * np.log(b + j)
        + data.leave * np.log(a)
        - (data.stay + data.leave) * np.log(a + b + j)
    )
    return each.sum(axis=-1)


def natural(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """alpha and beta of (logit of the share lost first, ln(alpha + beta)) on the last axis."""
    share, total = 1.0 / (1.0 + np.exp(-point[..., 0])), np.exp(point[..., 1])
    return share * total, (1.0 - share) * total


def fit(
    groups: pd.DataFrame, draws_count: int, random_state: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw alpha and beta of every cohort, and of one yet to come.

    Both numbers of a cohort, in the coordinates of `natural`, are normal around those of the base,
    so that small and young cohorts borrow from the others. Given means and spreads of the base,
    cohorts are independent, and each is integrated out by Gauss-Hermite quadrature around its own
    mode; what is left has four numbers and is drawn by `approximation.approximate`. The spread is
    drawn with its whole distribution and cannot collapse, as it does at a joint mode.

    Parameters
    ----------
    groups : DataFrame
        Columns of `frames.CONTRACT_GROUPS`.
    draws_count, random_state : int

    Returns
    -------
    (DataFrame, dict)
        Columns ``alpha[<cohort>]`` and ``beta[<cohort>]``, of `NEW_COHORT` without brackets;
        ``k_hat`` and ``ess_bulk_min`` of the importance weights.

    References
    ----------
    Liu & Pierce (1994), "A note on Gauss-Hermite quadrature", Biometrika 81, for the quadrature.
    """
    data = statistics(groups)
    start = np.concatenate([_CENTRE, np.log([_SPREAD / 2, _SPREAD / 2])])
    points, health = approximate(
        lambda point: _log_marginal(data, point), start, draws_count, random_state, _PROPOSALS
    )
    random = np.random.default_rng(random_state + 1)
    columns: dict[str, np.ndarray] = {}
    cohorts = np.stack([_cohort_draw(data, point, random) for point in points])
    alpha, beta = natural(cohorts)  # (draw, cohort)
    for i, name in enumerate(data.cohorts):
        columns |= {f"alpha[{name}]": alpha[:, i], f"beta[{name}]": beta[:, i]}
    new = points[:, :2] + np.exp(points[:, 2:]) * random.standard_normal((draws_count, 2))
    columns["alpha"], columns["beta"] = natural(new)
    diagnostics = {"k_hat": health["k_hat"], "ess_bulk_min": health["ess"]}
    return pd.DataFrame(columns).rename_axis(index="draw"), diagnostics


def _log_marginal(data: Renewals, point: np.ndarray) -> float:
    """Log posterior density of means and log spreads, cohorts integrated out."""
    spread = np.exp(point[2:])
    if not (np.isfinite(spread).all() and (spread < 20).all() and (spread > 1e-6).all()):
        return -np.inf
    prior = -0.5 * np.sum(((point[:2] - _CENTRE) / _WIDTH) ** 2)
    prior += np.sum(point[2:] - 0.5 * (spread / _SPREAD) ** 2)
    with np.errstate(all="ignore"):  # far from any cohort the sum is no number, and refused here
        total = float(prior + _log_integrals(data, point).sum())
    return total if np.isfinite(total) else -np.inf


def _log_integrals(data: Renewals, point: np.ndarray) -> np.ndarray:
    """Log of each cohort's likelihood averaged over cohorts of the base, (cohort,)."""
    mode, factor = _modes(data, point)
    z = mode + np.einsum("cij,nj->nci", factor, _GRID)  # (node, cohort, 2)
    values = _log_joint(data, point, z) + _LOG_WEIGHT[:, None]
    top = values.max(axis=0)
    log_size = np.log(np.abs(np.linalg.det(factor)))
    return np.asarray(top + np.log(np.exp(values - top).sum(axis=0)) + log_size)


def _log_joint(data: Renewals, point: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log-likelihood and prior of cohorts at z spreads from the base's mean, (..., cohort)."""
    alpha, beta = natural(point[:2] + np.exp(point[2:]) * z)
    return log_likelihood(data, alpha, beta) - 0.5 * np.sum(z**2, axis=-1)


def _modes(data: Renewals, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mode of each cohort (cohort, 2) and F with F F' the inverse curvature (cohort, 2, 2)."""
    spread = np.exp(point[2:])
    z = np.zeros((len(data.cohorts), 2))
    values = vectors = np.zeros(0)
    for step in range(_NEWTON_STEPS + 1):
        slope, curvature = _derivatives(data, point[:2] + spread * z)
        bend = np.eye(2) - curvature * np.outer(spread, spread)
        values, vectors = np.linalg.eigh(bend)
        values = np.maximum(values, 0.3)  # where the likelihood bends upwards, the prior holds
        gradient = slope * spread - z
        if step == _NEWTON_STEPS or np.abs(gradient).max() < 1e-2:
            break
        along = np.einsum("cij,ci->cj", vectors, gradient) / values
        move = np.einsum("cij,cj->ci", vectors, along)
        length = np.linalg.norm(move, axis=1, keepdims=True)
        z = z + move * np.minimum(1.0, _LONGEST_STEP / np.maximum(length, 1e-12))
    return z, vectors / np.sqrt(values)[:, None, :]


def _derivatives(data: Renewals, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope (cohort, 2) and second derivatives (cohort, 2, 2) of the log-likelihood."""
    alpha, beta = natural(at)
    j, share = np.arange(data.stay.shape[1]), alpha / (alpha + beta)
    both = data.stay + data.leave
    after, renewed = (alpha + beta)[:, None] + j, beta[:, None] + j
    gone = data.leave.sum(axis=1)
    pull, pull_squared = (both / after).sum(axis=1), (both / after**2).sum(axis=1)
    by_alpha = gone / alpha - pull
    by_beta = (data.stay / renewed).sum(axis=1) - pull
    alpha2 = pull_squared - gone / alpha**2
    beta2 = pull_squared - (data.stay / renewed**2).sum(axis=1)
    w = (alpha + beta) * share * (1.0 - share)
    lost = w * (by_alpha - by_beta)
    slope = np.stack([lost, alpha * by_alpha + beta * by_beta], axis=1)
    first = w**2 * (alpha2 + beta2 - 2.0 * pull_squared) + (1.0 - 2.0 * share) * lost
    mixed = w * (alpha * (alpha2 - pull_squared) + beta * (pull_squared - beta2)) + lost
    second = alpha**2 * alpha2 + beta**2 * beta2 + 2.0 * alpha * beta * pull_squared + slope[:, 1]
    return slope, np.stack(
        [np.stack([first, mixed], axis=1), np.stack([mixed, second], axis=1)], axis=1
    )


def _cohort_draw(data: Renewals, point: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One draw of each cohort given the base, (cohort, 2): the best-weighted of many candidates."""
    mode, factor = _modes(data, point)
    normal = random.standard_normal((_CANDIDATES, *mode.shape))
    # A third wider than the curvature says, so that the tails have candidates.
    z = mode + 1.33 * np.einsum("cij,ncj->nci", factor, normal)
    score = _log_joint(data, point, z) + 0.5 * np.sum(normal**2, axis=-1)
    chosen = np.argmax(score + random.gumbel(size=score.shape), axis=0)
    drawn = z[chosen, np.arange(len(mode))]
    return np.asarray(point[:2] + np.exp(point[2:]) * drawn)
