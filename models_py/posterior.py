"""What is read off posterior draws: health of the sampling, thinning, summaries; knows arviz.

Add here whatever turns draws into numbers that people read, so that it is done once and alike.
Likelihoods, priors and simulation of the future belong to the model families.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

QUANTILES: dict[str, float] = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}

GATES: dict[str, tuple[str, float]] = {
    "rhat_max": ("<=", 1.01),
    "ess_bulk_min": (">=", 400.0),
    "ess_tail_min": (">=", 400.0),
    "divergences": ("<=", 0.0),
    "ebfmi_min": (">=", 0.3),
    "k_hat": ("<=", 0.7),
}
# Importance weights have no chains, chains have no weights.
OF_WEIGHTS = ("k_hat", "ess_bulk_min")


def _arviz() -> Any:
    """arviz without the notice that it will be refactored, which would stand in every first run."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="\\s*ArviZ is undergoing")
        import arviz
    return arviz


def diagnose(trace: Any, names: Sequence[str]) -> dict[str, float]:
    """Measure how far the sampling of `names` can be trusted.

    Parameters
    ----------
    trace : arviz.InferenceData
        Groups ``posterior`` (chain, draw) and ``sample_stats`` with ``diverging`` and ``energy``.
    names : sequence of str

    Returns
    -------
    dict
        ``rhat_max`` (rank-normalised, worst parameter), ``ess_bulk_min``, ``ess_tail_min`` (draws),
        ``divergences`` (transitions after tuning), ``ebfmi_min`` (worst chain).

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16(2); Betancourt (2016) for E-BFMI.
    """
    arviz = _arviz()

    names = list(names)

    def worst(measured: Any, best_first: bool) -> float:
        values = [
            float(measured[name].max() if best_first else measured[name].min()) for name in names
        ]
        return max(values) if best_first else min(values)

    return {
        "rhat_max": worst(arviz.rhat(trace, var_names=names), True),
        "ess_bulk_min": worst(arviz.ess(trace, var_names=names, method="bulk"), False),
        "ess_tail_min": worst(arviz.ess(trace, var_names=names, method="tail"), False),
        "divergences": float(trace.sample_stats["diverging"].sum()),
        "ebfmi_min": float(np.min(arviz.bfmi(trace))),
    }


def failed_gates(
    diagnostics: Mapping[str, float], gates: Mapping[str, tuple[str, float]] = GATES
) -> list[str]:
    """Name what `diagnose` measured outside `gates`, one sentence each; empty when healthy."""
    failures = []
    by_weights = "k_hat" in diagnostics
    for name, (sense, limit) in gates.items():
        if (name not in OF_WEIGHTS) if by_weights else (name == "k_hat"):
            continue
        measured = diagnostics[name]
        passed = measured <= limit if sense == "<=" else measured >= limit
        if not passed:  # also when the measure is NaN
            failures.append(f"{name} is {measured:.4g}, must be {sense} {limit:g}")
    return failures


def normalised(log_weights: np.ndarray) -> np.ndarray:
    """Weights that sum to 1, from their logs up to a constant."""
    weights: np.ndarray = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def smoothed_weights(log_weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smooth importance weights.

    Returns
    -------
    (ndarray, float)
        Weights (draw,) that sum to 1, and k-hat, the shape of their tail.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), "Pareto smoothed importance sampling", JMLR 25.
    """
    arviz = _arviz()

    smoothed, k_hat = arviz.psislw(log_weights)
    return normalised(np.asarray(smoothed)), float(k_hat)


def thin(trace: Any, names: Sequence[str], draws_count: int) -> pd.DataFrame:
    """Keep `draws_count` joint draws, evenly spaced over all chains end to end.

    Returns
    -------
    DataFrame
        One row per kept draw, one column per parameter; index ``draw`` from 0.

    Raises
    ------
    ValueError
        When fewer draws were sampled than are to be kept.
    """
    joined = pd.DataFrame(
        {name: np.asarray(trace.posterior[name], dtype="float64").reshape(-1) for name in names}
    )
    if len(joined) < draws_count:
        raise ValueError(
            f"{draws_count} draws are to be kept, but only {len(joined)} were sampled. Raise "
            "draws or chains, or keep fewer."
        )
    kept = np.linspace(0, len(joined) - 1, draws_count).round().astype(int)
    return joined.iloc[kept].reset_index(drop=True).rename_axis(index="draw")


def quantiles(draws: np.ndarray, prefix: str, axis: int = 1) -> dict[str, np.ndarray]:
    """Summarise draws as ``<prefix>_p05`` to ``<prefix>_p95``.

    Parameters
    ----------
    draws : ndarray
        One of its axes runs over draws; the others are kept.
    prefix : str
    axis : int
        The axis of the draws.

    Returns
    -------
    dict of str to ndarray
        Order statistics without interpolation, so that counts stay whole: of n draws, p05 is the
        ceil(0.05 n)-th smallest.
    """
    count = draws.shape[axis]
    ranks = [min(int(np.ceil(level * count)), count) - 1 for level in QUANTILES.values()]
    # Rows of 400 are sorted in 1 us by NumPy's vector code, five of them selected in 10.
    ordered = np.sort(draws, axis=axis)
    levels = [np.take(ordered, rank, axis=axis) for rank in ranks]
    return {f"{prefix}_{name}": level for name, level in zip(QUANTILES, levels, strict=True)}
