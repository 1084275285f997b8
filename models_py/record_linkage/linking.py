"""The whole way from records to persons: probable pairs, their threshold, and what joins.

Add here a step between the model and the persons, so that benchmarks measure what a run does.
Fitting stays out (``probabilistic``), and so does what persons are called (``persons``).
"""

from __future__ import annotations

import pandas as pd

from models_py.record_linkage.probabilistic import RecordLinkage
from models_py.record_linkage.resolve import Resolution, resolve
from models_py.record_linkage.thresholds import with_threshold

# Pairs below are not worth a look; between this and the threshold people may decide.
WORTH_A_LOOK = 0.5


def link_persons(
    records: pd.DataFrame,
    identifiers: pd.DataFrame,
    portraits: pd.DataFrame,
    model: RecordLinkage | None = None,
    target_precision: float = 0.99,
    overrides: pd.DataFrame | None = None,
) -> tuple[Resolution, dict[str, float]]:
    """Find the persons of a data set with a fitted model, or by identifiers alone without one.

    Parameters
    ----------
    records, identifiers, portraits, overrides : DataFrame
        As for ``resolve``.
    model : RecordLinkage, optional
        Fitted, or rebuilt from its parameters.
    target_precision : float
        As for ``with_threshold``.

    Returns
    -------
    found : Resolution
    told : dict
        threshold, estimated_precision_of_new_links and pairs_above_threshold; empty without model.
    """
    if model is None:
        return resolve(records, identifiers, portraits, overrides=overrides), {}
    pairs = model.predict(portraits)
    pairs = pairs[pairs["match_probability"] >= min(WORTH_A_LOOK, model.threshold_)]
    pairs, threshold, estimated = with_threshold(
        records, identifiers, pairs, target_precision, model.threshold_
    )
    found = resolve(
        records,
        identifiers,
        portraits,
        pairs,
        overrides,
        trust_birth_dates=model.trust_birth_dates_,
    )
    return found, {
        "threshold": threshold,
        "estimated_precision_of_new_links": estimated,
        "pairs_above_threshold": int(pairs["is_above_threshold"].sum()),
    }
