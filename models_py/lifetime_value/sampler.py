"""How draws of a grouped model are made: by importance sampling where it is sound, else by nutpie.

Add here settings of the inference that all lifetime-value models share.
Likelihoods and priors belong in `purchases` and `spend`, reading the draws in `posterior`.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.approximation import approximate
from models_py.lifetime_value.grouped_model import GroupedModel

CAREFUL_TARGET_ACCEPT = 0.98
INFERENCES = ("auto", "nuts", "importance")
_COMPILED: dict[str, tuple[Any, list[str]]] = {}


@dataclass(frozen=True)
class Sampling:
    """Settings of the inference; the gates need about 1,000 draws in each of four chains.

    Attributes
    ----------
    inference : {"auto", "nuts", "importance"}
        ``auto`` tries importance sampling, seconds whatever the number of customers, and falls back
        to the No-U-Turn sampler where its weights cannot be trusted.
    draws, tune, chains, cores : int
        Kept and discarded iterations per chain; chains, of which `cores` run at a time.
    target_accept : float
        Slightly above nutpie's 0.8, because dropout parameters leave curved posteriors.
    """

    inference: str = "auto"
    draws: int = 1000
    tune: int = 800
    chains: int = 4
    cores: int = 2
    target_accept: float = 0.85


def sample(
    model: GroupedModel,
    data: Mapping[str, np.ndarray],
    settings: Sampling,
    draws_kept: int,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw from the posterior of `model` at `data`.

    Parameters
    ----------
    model : GroupedModel
    data : mapping of str to ndarray
    settings : Sampling
    draws_kept : int
    random_state : int

    Returns
    -------
    (DataFrame, dict)
        Joint draws (draw, parameter), and what says how far they can be trusted: ``k_hat`` and
        ``ess_bulk_min`` of importance weights, or `posterior.diagnose` of the chains.
    """
    if settings.inference not in INFERENCES:
        raise ValueError(
            f"inference {settings.inference!r} is unknown; use one of {', '.join(INFERENCES)}."
        )
    if settings.inference == "importance":
        return _by_importance(model, data, draws_kept, random_state)
    if settings.inference == "auto":
        # Where the density has no curvature there is nothing to propose from: chains must walk it.
        with contextlib.suppress(np.linalg.LinAlgError):
            draws, diagnostics = _by_importance(model, data, draws_kept, random_state)
            if not posterior.failed_gates(diagnostics):
                return draws, diagnostics
    return _by_chains(model, data, settings, draws_kept, random_state)


def _by_importance(
    model: GroupedModel, data: Mapping[str, np.ndarray], draws_kept: int, random_state: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    points, weights = approximate(
        lambda point: model.log_density(data, point), model.start(), draws_kept, random_state
    )
    draws = pd.DataFrame(model.published(data, points)).rename_axis(index="draw")
    return draws, {"k_hat": weights["k_hat"], "ess_bulk_min": weights["ess"]}


def _by_chains(
    model: GroupedModel,
    data: Mapping[str, np.ndarray],
    settings: Sampling,
    draws_kept: int,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    names = list(model.parameters)
    # BG/NBD and MBG/NBD differ in their data only.
    key = ",".join(model.priors)
    trace, diagnostics = chains(key, model.pymc, names, data, settings, random_state)
    return posterior.thin(trace, names, draws_kept), diagnostics


def chains(
    key: str,
    stated: Callable[[Mapping[str, np.ndarray]], Any],
    names: Sequence[str],
    data: Mapping[str, np.ndarray],
    settings: Sampling,
    random_state: int,
) -> tuple[Any, dict[str, float]]:
    """The No-U-Turn sampler of nutpie.

    Compiling costs 6 to 15 s of a process, so it is done once per `key`; later data of any length
    go through the same machine code. nutpie's numba backend needs no C compiler.

    Parameters
    ----------
    key : str
        The same for models whose code is the same.
    stated : callable
        data -> PyMC model, whose data can be exchanged.
    names : sequence of str
        What is kept and judged.
    data : mapping of str to ndarray
    settings : Sampling
    random_state : int

    Returns
    -------
    (arviz.InferenceData, dict)
        The draws of `names`, and `posterior.diagnose` of them.
    """
    names = list(names)
    with warnings.catch_warnings():
        # Both would stand in every user's first run, and neither concerns them: no operation here
        # uses BLAS, and nutpie imports arviz, which is held below the refactored release.
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS")
        warnings.filterwarnings("ignore", message="\\s*ArviZ is undergoing")
        import nutpie

        if key not in _COMPILED:
            model = stated(data)
            compiled = nutpie.compile_pymc_model(model, backend="numba", var_names=names)
            _COMPILED[key] = compiled, [variable.name for variable in model.data_vars]
    compiled, read = _COMPILED[key]
    # A step that diverges is too long for a bend of the posterior; shorter steps cost time and
    # nothing else, so they are tried before the fit is called unhealthy.
    for target_accept in (settings.target_accept, CAREFUL_TARGET_ACCEPT):
        trace = nutpie.sample(
            compiled.with_data(**{name: data[name] for name in read}),
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.cores,
            target_accept=target_accept,
            # On CDNOW the effective sample rises from 860 to 2,800 of 4,000: r and alpha, a and b
            # are strongly correlated, which a diagonal mass matrix cannot follow.
            low_rank_modified_mass_matrix=True,
            seed=random_state,
            save_warmup=False,
            progress_bar=False,
        )
        diagnostics = posterior.diagnose(trace, names)
        if diagnostics["divergences"] == 0:
            break
    return trace, diagnostics
