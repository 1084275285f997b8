"""Matching the clusters of a refit to the old ones, so that keys survive, and the lineage of it.

Add here how two labellings of the same customers are compared and what the comparison is called.
What becomes of micro-segments, whose patterns change with their layers, is told in `succession`.
Movement of customers between dates under one model is behaviour, not lineage, and is SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from models_py.segmentation.cells import JOINT
from models_py.segmentation.layers import LayerModel, cluster_key

LINEAGE_COLUMNS = [
    "stage",
    "layer",
    "old_key",
    "new_key",
    "customers_count",
    "overlap_share",
    "jaccard",
    "decision",
]
RETENTION_COLUMNS = ["stage", "layer", "key_retention_share", "low_margin_share"]
CLEAR_MARGIN = 0.1
"""Assignment margin below which a customer stands between clusters, and any sample decides."""
INSIDE_SHARE = 0.5


def match_clusters(shared: np.ndarray, minimum_jaccard: float) -> dict[int, int]:
    """Match new clusters to old ones by overlap.

    Parameters
    ----------
    shared : ndarray (old, new)
        Customers that both models put there.
    minimum_jaccard : float
        A pair below this is no match, even if the assignment problem paired it.

    Returns
    -------
    dict
        New position to old position.
    """
    from scipy.optimize import linear_sum_assignment

    if shared.shape == (1, 1):
        return {0: 0}  # Each is the whole stage, even on a day without customers in it.
    similarity = _jaccard(shared)
    # Two pairs that are no match must not outweigh one that is.
    similarity[similarity < minimum_jaccard] = 0.0
    rows, columns = linear_sum_assignment(similarity, maximize=True)
    return {
        int(new): int(old)
        for old, new in zip(rows, columns, strict=True)
        if similarity[old, new] > 0.0
    }


def shared_customers(
    old: pd.Series, new: pd.Series, old_keys: list[str], new_keys: list[str]
) -> np.ndarray:
    """Count customers by old and new key, shape (old, new); both series in the same row order."""
    rows = pd.Categorical(old, categories=old_keys).codes.astype(int)
    columns = pd.Categorical(new, categories=new_keys).codes.astype(int)
    known = (rows >= 0) & (columns >= 0)
    flat = rows[known] * len(new_keys) + columns[known]
    counted = np.bincount(flat, minlength=len(old_keys) * len(new_keys))
    return counted.reshape(len(old_keys), len(new_keys))


def lineage_rows(
    stage: str,
    layer: str,
    shared: np.ndarray,
    old_keys: list[str],
    new_keys: list[str],
    matches: Mapping[int, int],
) -> pd.DataFrame:
    """Tell what became of every old key and where every new one comes from.

    A matched pair is ``continued``. Otherwise a new key is paired with the old key that gave it
    most customers, and an old key with the new one that took most: ``split`` if the new one lies
    mostly inside the old, ``merged`` if the old one lies mostly inside the new. What has no such
    partner is ``born`` (no old key) or ``retired`` (no new key). Every old and every new key has
    at least one row.

    Returns
    -------
    DataFrame
        `LINEAGE_COLUMNS`; customers_count is shared by both keys and overlap_share is its part of
        the old key's customers.
    """
    decisions: dict[tuple[int, int], str] = {
        (old, new): "continued" for new, old in matches.items()
    }
    share_of_old = shared / np.maximum(shared.sum(axis=1, keepdims=True), 1)
    share_of_new = shared / np.maximum(shared.sum(axis=0, keepdims=True), 1)
    orphans_new = [new for new in range(len(new_keys)) if new not in matches]
    orphans_old = [old for old in range(len(old_keys)) if old not in matches.values()]
    pairs = [(int(shared[:, new].argmax()), new) for new in orphans_new if len(old_keys)]
    pairs += [(old, int(shared[old].argmax())) for old in orphans_old if len(new_keys)]
    for old, new in pairs:
        inside_old, inside_new = share_of_new[old, new], share_of_old[old, new]
        if max(inside_old, inside_new) >= INSIDE_SHARE:
            # What goes on under its own key elsewhere was split, or took another in.
            is_split = inside_old >= inside_new if old in orphans_old else True
            decisions[old, new] = "split" if is_split and new in orphans_new else "merged"

    similarity = _jaccard(shared)
    rows: list[tuple[object, ...]] = [
        (
            stage,
            layer,
            old_keys[old],
            new_keys[new],
            int(shared[old, new]),
            round(float(share_of_old[old, new]), 9),
            round(float(similarity[old, new]), 9),
            decision,
        )
        for (old, new), decision in sorted(decisions.items())
    ]
    seen_old = {old for old, _ in decisions}
    seen_new = {new for _, new in decisions}
    for old in orphans_old:
        if old not in seen_old:
            rows.append((stage, layer, old_keys[old], None, 0, 0.0, 0.0, "retired"))
    for new in orphans_new:
        if new not in seen_new:
            rows.append((stage, layer, None, new_keys[new], 0, 0.0, 0.0, "born"))
    return pd.DataFrame(rows, columns=LINEAGE_COLUMNS)


def align_layers(
    before: Mapping[tuple[str, str], LayerModel],
    after: Mapping[tuple[str, str], LayerModel],
    old: pd.DataFrame,
    new: pd.DataFrame,
    minimum_jaccard: float,
    minted: Mapping[tuple[str, str], int],
) -> tuple[dict[tuple[str, str], LayerModel], dict[str, str], pd.DataFrame]:
    """Carry keys over, stage by stage and layer by layer.

    `old` and `new` are what both fits say of the same customers; `minted` holds the highest number
    of a key where only an earlier fit had clusters. Returns the layer models with their new keys,
    the renamed keys (from, to) and the lineage.
    """
    models = dict(after)
    renamed: dict[str, str] = {}
    pieces: list[pd.DataFrame] = []
    for stage, layer in sorted(before.keys() | after.keys()):
        was, now = before.get((stage, layer)), after.get((stage, layer))
        old_keys = list(was.keys) if was else []
        new_keys = list(now.keys) if now else []
        shared = np.zeros((len(old_keys), len(new_keys)), dtype=int)
        matches: dict[int, int] = {}
        if was and now:
            labels = [
                frame.loc[(frame["stage"] == stage) & (frame["layer"] == layer), "cluster_key"]
                for frame in (old, new)
            ]
            shared = shared_customers(labels[0], labels[1], old_keys, new_keys)
            matches = (
                {position: position for position in range(len(new_keys))}
                if now is was  # An idle stage was carried over, and nobody need be in it today.
                else match_clusters(shared, minimum_jaccard)
            )
            models[stage, layer] = _rekeyed(now, was, matches)
            renamed |= dict(zip(new_keys, models[stage, layer].keys, strict=True))
            new_keys = list(models[stage, layer].keys)
        elif now and (stage, layer) in minted:
            models[stage, layer] = _rekeyed(now, replace(now, keys_minted=minted[stage, layer]), {})
            renamed |= dict(zip(new_keys, models[stage, layer].keys, strict=True))
            new_keys = list(models[stage, layer].keys)
        pieces.append(lineage_rows(stage, layer, shared, old_keys, new_keys, matches))
    return models, renamed, pd.concat(pieces, ignore_index=True)


def minted_elsewhere(
    before: Mapping[tuple[str, str], LayerModel],
    after: Mapping[tuple[str, str], LayerModel],
    minted: Mapping[tuple[str, str], int],
) -> dict[tuple[str, str], int]:
    """Highest number of a key where former fits had clusters, and this one has none."""
    highest = {**minted, **{where: model.keys_minted for where, model in before.items()}}
    return {where: number for where, number in highest.items() if where not in after}


def retention(
    old: pd.DataFrame,
    new: pd.DataFrame,
    old_cells: pd.DataFrame,
    new_cells: pd.DataFrame,
    used: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Tell which share of the customers kept their key at a refit, per layer and jointly.

    Customers whose margin of assignment was below `CLEAR_MARGIN` under the old fit (in any layer of
    the pattern, for the joint one) are left out and counted: they stand between clusters. A layer
    without structure in either fit keeps every key.

    Parameters
    ----------
    old, new : DataFrame
        What both fits say of the same customers and layers, in the order of `predict`; a layer of
        one fit alone is passed over.
    old_cells, new_cells : DataFrame
        Their micro-segments, ordered by customer_id.
    used : mapping of stage to layers of its pattern

    Returns
    -------
    DataFrame
        `RETENTION_COLUMNS`; key_retention_share is NaN where nobody has a clear margin.
    """
    rows: list[tuple[str, str, float, float]] = []
    old_layers, new_layers = dict(tuple(old.groupby("layer"))), dict(tuple(new.groupby("layer")))
    stages = old_cells["stage"].to_numpy()
    unclear = np.zeros(len(old_cells), dtype=bool)
    for layer in sorted(set(map(str, old_layers)) & set(map(str, new_layers))):
        before, after = old_layers[layer], new_layers[layer]
        low = before["assignment_margin"].to_numpy() < CLEAR_MARGIN
        kept = before["cluster_key"].to_numpy() == after["cluster_key"].to_numpy()
        for stage in np.unique(stages):
            here = stages == stage
            rows.append((str(stage), layer, *_shares(kept[here], low[here])))
            if layer in used.get(str(stage), ()):
                unclear |= here & low
    kept = old_cells["microsegment_key"].to_numpy() == new_cells["microsegment_key"].to_numpy()
    for stage in np.unique(stages):
        here = stages == stage
        rows.append((str(stage), JOINT, *_shares(kept[here], unclear[here])))
    return pd.DataFrame(rows, columns=RETENTION_COLUMNS)


def _rekeyed(after: LayerModel, before: LayerModel, matches: Mapping[int, int]) -> LayerModel:
    """Give matched clusters their old key and the others a number never used before."""
    minted, keys = before.keys_minted, []
    for position in range(len(after.keys)):
        if position in matches:
            keys.append(before.keys[matches[position]])
        else:
            minted += 1
            keys.append(cluster_key(after.stage, after.layer, minted))
    return replace(after, keys=tuple(keys), keys_minted=minted)


def _shares(kept: np.ndarray, low: np.ndarray) -> tuple[float, float]:
    clear = kept[~low]
    share = round(float(clear.mean()), 9) if len(clear) else float("nan")
    return share, round(float(low.mean()), 9)


def _jaccard(shared: np.ndarray) -> np.ndarray:
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    matrix: np.ndarray = shared / np.maximum(union, 1)
    return matrix
