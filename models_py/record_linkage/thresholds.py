"""How probable a pair must be to be followed, judged by the pairs that add something.

Add here another way to choose the threshold.
The probabilities themselves are learned in ``training``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_py.record_linkage.exact import components, joinable_links
from models_py.record_linkage.keys import RECORD_KEY


def with_threshold(
    records: pd.DataFrame,
    identifiers: pd.DataFrame,
    pairs: pd.DataFrame,
    target_precision: float,
    at_least: float,
) -> tuple[pd.DataFrame, float, float]:
    """Mark the pairs to follow: as many as keep the expected precision of new links at the target.

    Most pairs of high probability share an identifier and are joined without it. Counted in, they
    vouch for the rest: on a simulated shop 2,500 of 3,300 did, and an estimate of 0.991 over all
    was 0.964 over the new ones.

    Parameters
    ----------
    records, identifiers : DataFrame
        As for ``resolve``.
    pairs : DataFrame
        As of ``RecordLinkage.predict``.
    target_precision : float
        Expected share of true pairs among the new links.
    at_least : float
        Threshold of the fit, which is never undercut.

    Returns
    -------
    pairs : DataFrame
        With is_above_threshold.
    threshold, estimated_precision : float
        Of the new links; NaN without any.
    """
    members = joinable_links(records, identifiers)
    person = components(
        members["record"].to_numpy(), members["identifier"].to_numpy(), len(records)
    )
    known = pd.Series(person, pd.MultiIndex.from_frame(records[RECORD_KEY]))
    ends = [
        known.reindex(pd.MultiIndex.from_frame(pairs[[f"{c}_{side}" for c in RECORD_KEY]]))
        for side in "lr"
    ]
    is_new = ends[0].to_numpy() != ends[1].to_numpy()
    probability = np.sort(pairs["match_probability"].to_numpy(dtype=float)[is_new])[::-1]
    probability = probability[probability >= at_least]
    expected = np.cumsum(probability) / np.arange(1, len(probability) + 1)
    good = np.flatnonzero(expected >= target_precision)
    threshold = float(probability[good[-1]]) if len(good) else max(at_least, 1.0)
    estimated = float(expected[good[-1]]) if len(good) else float("nan")
    above = pairs["match_probability"].to_numpy(dtype=float) >= threshold
    return pairs.assign(is_above_threshold=above), threshold, estimated
