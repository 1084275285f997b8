"""How a PyMC model is compiled and sampled: once per process, by nutpie, from a seed.

Add here settings of the sampling that all lifetime-value models share.
Likelihoods and priors belong in `purchases` and `spend`, reading the draws in `posterior`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models_py import posterior

CAREFUL_TARGET_ACCEPT = 0.98
_COMPILED: dict[str, Any] = {}


@dataclass(frozen=True)
class Sampling:
    """Settings of the sampler; the gates need about 1,000 draws in each of four chains.

    Attributes
    ----------
    draws, tune, chains, cores : int
        Kept and discarded iterations per chain; chains, of which `cores` run at a time.
    target_accept : float
        Slightly above nutpie's 0.8, because dropout parameters leave curved posteriors.
    """

    draws: int = 1000
    tune: int = 800
    chains: int = 4
    cores: int = 2
    target_accept: float = 0.85


def sample(
    build: Callable[[Mapping[str, np.ndarray]], Any],
    data: Mapping[str, np.ndarray],
    names: Sequence[str],
    settings: Sampling,
    draws_kept: int,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Sample the model that `build` makes, at `data`.

    Compiling costs 6 to 15 s of a process, so it is done once per `build`; later data of any
    length go through the same machine code. nutpie's numba backend needs no C compiler.

    Parameters
    ----------
    build : callable
        Takes data and returns a ``pymc.Model`` whose ``pm.Data`` carry the same names.
    data : mapping of str to ndarray
    names : sequence of str
        The parameters to keep and to diagnose.
    settings : Sampling
    draws_kept : int
    random_state : int

    Returns
    -------
    (DataFrame, dict)
        Thinned joint draws (draw, parameter) and `posterior.diagnose` of all of them.
    """
    with warnings.catch_warnings():
        # Both would stand in every user's first run, and neither concerns them: no operation here
        # uses BLAS, and arviz is held below the refactored release.
        warnings.filterwarnings("ignore", message="PyTensor could not link to a BLAS")
        warnings.filterwarnings("ignore", message="\\s*ArviZ is undergoing")
        import nutpie

        key = f"{build.__module__}.{build.__qualname__}"
        if key not in _COMPILED:
            _COMPILED[key] = nutpie.compile_pymc_model(
                build(data), backend="numba", var_names=list(names)
            )
    # A step that diverges is too long for a bend of the posterior; shorter steps cost time and
    # nothing else, so they are tried before the fit is called unhealthy.
    for target_accept in (settings.target_accept, CAREFUL_TARGET_ACCEPT):
        trace = nutpie.sample(
            _COMPILED[key].with_data(**data),
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
    return posterior.thin(trace, names, draws_kept), diagnostics
