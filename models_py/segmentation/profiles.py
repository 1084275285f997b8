"""What a micro-segmentation says about itself: profiles, quality, feature choices.

Add here a description of fitted segments that needs no new fit.
Words for people live in `naming`, rules in `rules`, and pictures in `dagster_project`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from models_py.segmentation.cells import JOINT, Cell
from models_py.segmentation.layers import LayerModel
from models_py.segmentation.naming import RHYTHM_FEATURE
from models_py.segmentation.scaling import FeatureScale, feature_values, raw_values

PROFILE_COLUMNS = [
    "microsegment_key",
    "feature",
    "mean",
    "stage_mean",
    "standardised_gap",
    "base_mean",
    "base_standardised_gap",
]


def profile(
    frame: pd.DataFrame, assignments: pd.DataFrame, scales: Mapping[str, FeatureScale]
) -> pd.DataFrame:
    """Compare the mean of every feature in a micro-segment with its stage and the whole base.

    Parameters
    ----------
    frame : DataFrame
        customer_id and the features in their own units, ordered by customer_id; NULL is left out of
        the means.
    assignments : DataFrame
        customer_id, stage, microsegment_key of the same customers, in the same order.
    scales : mapping of feature to FeatureScale
        The features, and which are categories: those have a row ``feature=level`` per level, whose
        mean is the share of the level, and truth values are 0 and 1.

    Returns
    -------
    DataFrame
        `PROFILE_COLUMNS`. A gap is (mean - other mean) in standard deviations of the stage or base,
        0 where that does not vary, NaN where all is NULL.
    """
    segment, names = pd.factorize(assignments["microsegment_key"], sort=True)
    stage, stages = pd.factorize(assignments["stage"], sort=True)
    of_stage = np.zeros(len(names), dtype=int)
    of_stage[segment] = stage
    pieces = []
    for feature, values in _columns(frame, scales):
        own, _ = _moments(values, segment, len(names))
        peers, spread = _moments(values, stage, len(stages))
        base, base_spread = _moments(values, np.zeros(len(values), dtype=int), 1)
        pieces.append(
            pd.DataFrame(
                {
                    "microsegment_key": names,
                    "feature": feature,
                    "mean": own,
                    "stage_mean": peers[of_stage],
                    "standardised_gap": _gap(own - peers[of_stage], spread[of_stage]),
                    "base_mean": base[0],
                    "base_standardised_gap": _gap(own - base[0], base_spread.repeat(len(names))),
                }
            )
        )
    if not pieces:
        return pd.DataFrame(columns=PROFILE_COLUMNS)
    every = pd.concat(pieces, ignore_index=True)[PROFILE_COLUMNS]
    return every.sort_values(["microsegment_key", "feature"], ignore_index=True)


def describe_cells(
    frame: pd.DataFrame,
    keys: pd.Series,
    cells: Mapping[str, Cell],
    models: Mapping[tuple[str, str], LayerModel],
) -> dict[str, Cell]:
    """Keep with every cell the median and the scaled gap of the features its stage uses.

    `keys` is the microsegment_key of each row of `frame`. The rhythm belongs to a name that people
    can say, so its median is kept also where no layer clusters by it. Cells that gather nobody
    today keep what they were described by.
    """
    scales: dict[str, dict[str, FeatureScale]] = {}
    for (stage, _), model in sorted(models.items()):
        used = {scale.feature: scale for scale in model.scales if scale.is_used}
        scales[stage] = scales.get(stage, {}) | used
    rows = keys.groupby(keys, sort=True).indices
    described = dict(cells)
    for key, places in rows.items():
        cell = cells[str(key)]
        part = frame.iloc[places]
        medians: dict[str, float] = {}
        gaps: dict[str, float] = {}
        for feature, scale in scales.get(cell.stage, {}).items():
            raw = raw_values(part, feature, scale.kind)
            means = scale.transform(raw).mean(axis=0)
            gaps |= {n: round(float(m), 9) for n, m in zip(scale.columns, means, strict=True)}
            if scale.kind not in ("category", "ordered") and not np.isnan(raw).all():
                medians[feature] = float(np.nanmedian(raw))
        if RHYTHM_FEATURE in frame.columns:
            rhythm = feature_values(part, RHYTHM_FEATURE)
            if np.isfinite(rhythm).any():
                medians[RHYTHM_FEATURE] = float(np.nanmedian(rhythm))
        described[str(key)] = replace(cell, medians=medians, gaps=gaps)
    return described


def quality(
    models: Mapping[tuple[str, str], LayerModel],
    cells: Mapping[str, Cell],
    used: Mapping[str, Sequence[str]],
    retention: pd.DataFrame,
    assignments: pd.DataFrame | None = None,
    microsegments: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """How good the segments of each stage are, layer by layer and jointly.

    Parameters
    ----------
    models, cells, retention
        Of the fit; see `Microsegmentation`.
    used : mapping of stage to layers of its pattern
    assignments, microsegments : DataFrame, optional
        Clusters and micro-segments of a date; without them sizes are those of the fit.

    Returns
    -------
    DataFrame
        stage, layer (``microsegment`` for the joint pattern), is_in_pattern, algorithm,
        customers_count,
        coverage_share (of customers something is known of), clusters_count, smallest_count,
        worst_jaccard and silhouette (NaN for a single cluster; the least of the layers for the
        joint pattern), fallback_share (in a cell that dropped a layer; NaN for a layer),
        key_retention_share and low_margin_share (of the refit; NaN at a first fit), reason.
    """
    rows = [
        _layer_row(model, layer in used.get(stage, ()), assignments)
        for (stage, layer), model in sorted(models.items())
    ]
    stages = sorted({stage for stage, _ in models} | {cell.stage for cell in cells.values()})
    for stage in stages:
        own = [m for (s, layer), m in models.items() if s == stage and layer in used.get(s, ())]
        rows.append(_joint_row(stage, own, cells, microsegments))
    table = pd.DataFrame(rows)
    kept = retention.astype({"key_retention_share": float, "low_margin_share": float})
    table = table.merge(kept, on=["stage", "layer"], how="left")
    return table[[*[name for name in table.columns if name != "reason"], "reason"]].sort_values(
        ["stage", "layer"], ignore_index=True
    )


def features(models: Mapping[tuple[str, str], LayerModel]) -> pd.DataFrame:
    """One row per stage, layer and feature: is_used, missing_share, decision."""
    rows = [
        (stage, layer, scale.feature, scale.is_used, scale.missing_share, scale.decision)
        for (stage, layer), model in sorted(models.items())
        for scale in model.scales
    ]
    names = ["stage", "layer", "feature", "is_used", "missing_share", "decision"]
    return pd.DataFrame(rows, columns=names)


def _layer_row(
    model: LayerModel, is_in_pattern: bool, assignments: pd.DataFrame | None
) -> dict[str, object]:
    count, covered, smallest = model.customers_count, model.covered_count, float("nan")
    if assignments is not None:
        mine = (assignments["stage"] == model.stage) & (assignments["layer"] == model.layer)
        sizes = assignments.loc[mine, "cluster_key"].value_counts()
        count = int(sizes.sum())
        covered = count - int(sizes.get(model.unknown_key, 0))
        smallest = float(min((sizes.get(key, 0) for key in model.keys), default=0))
    return {
        "stage": model.stage,
        "layer": model.layer,
        "is_in_pattern": is_in_pattern,
        "algorithm": model.clusters.algorithm if model.has_structure else None,
        "customers_count": count,
        "coverage_share": covered / count if count else 0.0,
        "clusters_count": len(model.keys),
        "smallest_count": smallest,
        "worst_jaccard": model.worst_jaccard if model.has_structure else float("nan"),
        "silhouette": model.silhouette if model.has_structure else float("nan"),
        "fallback_share": float("nan"),
        "reason": model.reason,
    }


def _joint_row(
    stage: str,
    layers: Sequence[LayerModel],
    cells: Mapping[str, Cell],
    microsegments: pd.DataFrame | None,
) -> dict[str, object]:
    own = [cell for cell in cells.values() if cell.stage == stage]
    sizes = {cell.key: cell.customers_count for cell in own}
    if microsegments is not None:
        mine = microsegments.loc[microsegments["stage"] == stage, "microsegment_key"]
        sizes = {cell.key: 0 for cell in own}
        sizes |= {str(key): int(size) for key, size in mine.value_counts().items()}
    count = sum(sizes.values())
    fallen = sum(sizes[cell.key] for cell in own if cell.fallback_level > 0)
    filled = [size for size in sizes.values() if size > 0]
    names = ", ".join(layer.layer for layer in layers)
    return {
        "stage": stage,
        "layer": JOINT,
        "is_in_pattern": True,
        "algorithm": None,
        "customers_count": count,
        "coverage_share": 1.0,
        "clusters_count": len(filled),
        "smallest_count": float(min(filled, default=0)),
        "worst_jaccard": min((layer.worst_jaccard for layer in layers), default=float("nan")),
        "silhouette": min((layer.silhouette for layer in layers), default=float("nan")),
        "fallback_share": fallen / count if count else 0.0,
        "reason": f"pattern of {names}" if layers else "no layer in the pattern",
    }


def _columns(
    frame: pd.DataFrame, scales: Mapping[str, FeatureScale]
) -> list[tuple[str, np.ndarray]]:
    """Every feature as float64; a category as one column of 0 and 1 per level."""
    columns: list[tuple[str, np.ndarray]] = []
    for feature, scale in scales.items():
        if scale.kind == "ordered":
            continue  # A band has no mean; its levels are a category to people.
        raw = raw_values(frame, feature, scale.kind)
        if scale.kind != "category":
            columns.append((feature, raw))
            continue
        missing = pd.isna(raw)
        for level in scale.levels:
            columns.append((f"{feature}={level}", np.where(missing, np.nan, raw == level)))
    return [(name, np.asarray(values, dtype=float)) for name, values in columns]


def _moments(values: np.ndarray, group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation by group, NaN left out; NaN where a group is all NaN."""
    is_known = ~np.isnan(values)
    where, numbers = group[is_known], values[is_known]
    count = np.bincount(where, minlength=groups).astype(float)
    divisor = np.where(count > 0, count, np.nan)
    mean = np.bincount(where, weights=numbers, minlength=groups) / divisor
    squares = np.bincount(where, weights=(numbers - mean[where]) ** 2, minlength=groups)
    return mean, np.sqrt(squares / divisor)


def _gap(difference: np.ndarray, spread: np.ndarray) -> np.ndarray:
    is_varied = np.nan_to_num(spread) > 0.0
    scaled: np.ndarray = np.where(
        is_varied, difference / np.where(is_varied, spread, 1.0), difference * 0.0
    )
    return scaled
