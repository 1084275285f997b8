"""What comparable customers are worth, and in what the better ones differ: one pass over a slice.

Add here a number that is read off a customer's peers.
Who the peers are lives in `peers`, words in `difference`, the share of a gap in `potential`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.segmentation.difference import worded
from models_py.segmentation.peers import PeerRules, neighbours
from models_py.segmentation.scaling import feature_values, fit_scales
from models_py.segmentation.specs import LayerSpec

WINSOR = (0.01, 0.99)


def compare(
    frame: pd.DataFrame,
    compared: Sequence[str],
    told: Sequence[str],
    value: np.ndarray,
    rules: PeerRules,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Hold every customer of a slice against their peers.

    Parameters
    ----------
    frame : DataFrame
        As for `peers.neighbours`, with the features of `told` as well.
    compared : sequence of str
        Features by which customers are comparable.
    told : sequence of str
        Features whose difference may be told, in their own units; also such as nobody is compared
        by.
    value : ndarray (customer, horizon)
        Predicted value in the order of the frame's rows; differences are told of the last horizon.
    rules : PeerRules

    Returns
    -------
    DataFrame, in the order of `frame`
        customer_id; peers_count, 0 without comparable ones; leading_attribute and differences, from
        the mean of the peers at or above the benchmark: NULL without comparable peers, for
        customers at or above it themselves, and where nothing is notably apart.
    ndarray (customer, horizon)
        The benchmark, NaN without comparable peers.
    """
    count = np.zeros(len(frame), dtype=np.int64)
    benchmark = np.full(value.shape, np.nan)
    own = np.empty((len(frame), len(told)))
    for place, name in enumerate(told):
        own[:, place] = feature_values(frame, name)
    apart, theirs = np.zeros_like(own), np.full_like(own, np.nan)
    spread = _spread(frame, told)
    for found in neighbours(frame, compared, rules):
        rows, around = found.rows, value[found.peers]  # (customer, peer, horizon)
        count[rows] = found.peers.shape[1]
        benchmark[rows] = np.quantile(around, rules.quantile, axis=1)
        is_below = value[rows, -1] < benchmark[rows, -1]
        rows, peers = rows[is_below], found.peers[is_below]
        is_better = around[is_below, :, -1] >= benchmark[rows, -1][:, None]
        for place in range(len(told)):
            theirs[rows, place] = _mean_where(own[peers, place], is_better)
            distance = (theirs[rows, place] - own[rows, place]) / spread[rows, place]
            apart[rows, place] = np.nan_to_num(distance)
    leading, words = worded(apart, own, theirs, told)
    table = pd.DataFrame({"customer_id": frame["customer_id"], "peers_count": count})
    return table.assign(leading_attribute=leading, differences=words), benchmark


def _mean_where(values: np.ndarray, is_counted: np.ndarray) -> np.ndarray:
    """Mean over the peers that count and whose value is known, NaN without any."""
    counts = is_counted & np.isfinite(values)
    number = counts.sum(axis=1)
    total = np.where(counts, values, 0.0).sum(axis=1)
    return np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)


def _spread(frame: pd.DataFrame, told: Sequence[str]) -> np.ndarray:
    """Standard deviation of each feature in the stage of each row; infinite where none is told."""
    spread = np.full((len(frame), len(told)), np.inf)
    stage = frame["stage"].to_numpy()
    for name in sorted(set(stage)) if told else ():
        rows = np.flatnonzero(stage == name)
        part = frame.iloc[rows]
        for place, scale in enumerate(fit_scales(part, LayerSpec(tuple(told)))):
            values = np.sort(feature_values(part, scale.feature))
            known = values[np.isfinite(values)]
            if scale.is_used and known.std() > 0:
                # Winsorised as the scale is, so that one large order does not hide all others.
                low, high = np.quantile(known, WINSOR)
                spread[rows, place] = np.clip(known, low, high).std() or np.inf
    return spread
