"""Layers of config.yml and their features as the segmentation takes them, and its quality as kept.

Add here what stands between the words of config.yml and models_py/segmentation.
Assets that read and write are in `assets/segments.py`.
"""

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dagster_project.config import Config
from dagster_project.feature_catalogue import PREDICTED, features
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.segmentation import LayerSpec, Microsegmentation


def layer_specs(config: Config) -> "dict[str, LayerSpec]":
    """What config.yml says of each layer."""
    from models_py.segmentation import LayerSpec

    return {
        name: LayerSpec(
            layer.features,
            layer.always,
            layer.never,
            layer.algorithm,
            layer.stages,
            layer.transforms,
        )
        for name, layer in config.segmentation.layers.items()
    }


def features_at(
    warehouse: Warehouse, config: Config, as_of: dt.date, model: "Microsegmentation | None" = None
) -> pd.DataFrame:
    """Every customer of the date with the features of all layers and the value at one horizon.

    A model fitted before config.yml changed reads the features of its own layers.
    """
    fitted = [spec.candidates for spec in model.layers.values()] if model else []
    wanted = [layer.columns for layer in config.segmentation.layers.values()]
    layers = {name for names in (*wanted, *fitted) for name in names}
    own = {
        "customer_id",
        "purchase_days_count",
        "tenure_days",
        "recency_days",
        "median_gap_days",
        "days_between_last_two_purchases",
    }
    columns = ", ".join(f"features.{name}" for name in sorted(own | layers - set(PREDICTED)))
    return warehouse.frame(
        f"select {columns}, value.purchase_probability, value.predicted_revenue_mean "
        "from marts.fct_customer_features as features "
        "left join predictions.customer_ltv as value "
        "on value.customer_id = features.customer_id and value.as_of_date = features.as_of_date "
        "and value.horizon_days = ? where features.as_of_date = ? order by features.customer_id",
        [config.lifecycle.horizon_days, as_of],
    )


def quality_of(model: "Microsegmentation", clusters: pd.DataFrame) -> pd.DataFrame:
    """Quality by stage and layer; what a left-out layer would need is added to its reason."""
    quality = model.quality(clusters)
    counts = ("clusters_count", "smallest_count", "customers_count")
    quality = quality.astype(dict.fromkeys(counts, np.int64))
    catalogue = features()
    for layer, spec in model.layers.items():
        needs = {
            need.replace("|", " or ")
            for name in spec.candidates
            if name in catalogue
            for need in catalogue[name].needs
        }
        mine = (quality["layer"] == layer) & (quality["coverage_share"] == 0.0)
        if mine.any() and needs:
            reason = f"left out: not known of anyone; its features need {', '.join(sorted(needs))}"
            quality.loc[mine & (quality["clusters_count"] == 0), "reason"] = reason
    return quality


def map_values(
    model: "Microsegmentation", frame: pd.DataFrame, segments: pd.DataFrame
) -> tuple[str, np.ndarray, np.ndarray]:
    """The stage with most customers among those with several segments, and their features.

    `frame` is ordered as `segments`. Returns the stage, its features on the fitted scale, shape
    (customer, column), and whether each row of `frame` belongs to it.
    """
    from models_py.segmentation.scaling import scaled_values

    by_stage = segments.groupby("stage")["microsegment_key"].agg(["size", "nunique"])
    several = by_stage[by_stage["nunique"] > 1]
    stage = str((several if len(several) else by_stage)["size"].idxmax())
    here = (segments["stage"] == stage).to_numpy()
    names = model.pattern_layers(stage) or tuple(model.layers)
    parts = [
        scaled_values(frame[here], model.models_[stage, name].scales)[0]
        for name in names
        if (stage, name) in model.models_
    ]
    values = np.concatenate([np.zeros((int(here.sum()), 2)), *parts], axis=1)
    return stage, values, here
