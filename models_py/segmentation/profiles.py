"""What a micro-segmentation says about itself: profiles, quality, feature choices.

Add here a description of fitted segments that needs no new fit.
Words for people live in `naming`, and pictures in `dagster_project`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from models_py.segmentation.cells import Cell
from models_py.segmentation.layers import LayerModel
from models_py.segmentation.naming import RHYTHM_FEATURE
from models_py.segmentation.scaling import FeatureScale, feature_values


def profile(
    frame: pd.DataFrame, assignments: pd.DataFrame, features: Sequence[str]
) -> pd.DataFrame:
    """Compare the mean of every feature in a micro-segment with its stage.

    Parameters
    ----------
    frame : DataFrame
        customer_id and the features in their own units, NULL left out of the means.
    assignments : DataFrame
        customer_id, stage, microsegment_key.

    Returns
    -------
    DataFrame
        microsegment_key, feature, mean, stage_mean, standardised_gap: (mean - stage_mean) in
        standard deviations of the stage, 0 where the stage does not vary, NaN where all is NULL.
    """
    keys = assignments[["customer_id", "stage", "microsegment_key"]]
    joined = frame[["customer_id", *features]].merge(keys, on="customer_id", how="inner")
    joined = joined.sort_values("customer_id", ignore_index=True)
    pieces = []
    for feature in features:
        values = pd.Series(feature_values(joined, feature))
        by_stage = values.groupby(joined["stage"])
        table = pd.DataFrame(
            {
                "mean": values.groupby(joined["microsegment_key"]).mean(),
                "stage": joined.groupby("microsegment_key")["stage"].first(),
            }
        )
        table["stage_mean"] = table["stage"].map(by_stage.mean())
        spread = table["stage"].map(by_stage.std(ddof=0)).fillna(0.0)
        difference = table["mean"] - table["stage_mean"]
        table["standardised_gap"] = np.where(
            spread > 0.0, difference / spread.where(spread > 0.0, 1.0), difference * 0.0
        )
        pieces.append(table.assign(feature=feature).reset_index())
    columns = ["microsegment_key", "feature", "mean", "stage_mean", "standardised_gap"]
    every = pd.concat(pieces, ignore_index=True)[columns]
    return every.sort_values(["microsegment_key", "feature"], ignore_index=True)


def describe_cells(
    frame: pd.DataFrame,
    keys: pd.Series,
    cells: Mapping[str, Cell],
    models: Mapping[tuple[str, str], LayerModel],
) -> dict[str, Cell]:
    """Keep with every cell the median and the scaled gap of the features its stage uses.

    `keys` is the microsegment_key of each row of `frame`. The rhythm belongs to a name that people
    can say, so its median is kept also where no layer clusters by it.
    """
    scales: dict[str, dict[str, FeatureScale]] = {}
    for (stage, _), model in models.items():
        used = {scale.feature: scale for scale in model.scales if scale.is_used}
        scales[stage] = scales.get(stage, {}) | used
    described: dict[str, Cell] = {}
    for key, cell in cells.items():
        part = frame[(keys == key).to_numpy()]
        medians, gaps = {}, {}
        for feature, scale in scales[cell.stage].items():
            values = feature_values(part, feature)
            known = values[~np.isnan(values)]
            if len(known):
                medians[feature] = float(np.median(known))
                gaps[feature] = round(float(scale.transform(values).mean()), 9)
        if RHYTHM_FEATURE in frame.columns:
            rhythm = feature_values(part, RHYTHM_FEATURE)
            if np.isfinite(rhythm).any():
                medians[RHYTHM_FEATURE] = float(np.nanmedian(rhythm))
        described[key] = replace(cell, medians=medians, gaps=gaps)
    return described


def quality(models: Mapping[tuple[str, str], LayerModel]) -> pd.DataFrame:
    """One row per stage and layer; worst_jaccard and silhouette are NaN for a single cluster."""
    ordered = [models[where] for where in sorted(models)]
    many = [len(model.keys) > 1 for model in ordered]
    return pd.DataFrame(
        {
            "stage": [model.stage for model in ordered],
            "layer": [model.layer for model in ordered],
            "customers_count": [model.customers_count for model in ordered],
            "clusters_count": [len(model.keys) for model in ordered],
            "worst_jaccard": np.where(many, [model.worst_jaccard for model in ordered], np.nan),
            "silhouette": np.where(many, [model.silhouette for model in ordered], np.nan),
            "reason": [model.reason for model in ordered],
        }
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
