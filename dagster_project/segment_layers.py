"""Layers of config.yml as the segmentation takes them, and its quality as the warehouse keeps it.

Add here what stands between the words of config.yml and models_py/segmentation.
Assets that read and write are in `assets/segments.py`.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dagster_project.config import Config
from dagster_project.feature_catalogue import features

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
