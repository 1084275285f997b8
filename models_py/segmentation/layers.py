"""One clustered layer of one stage: its scales, centres and keys, and the assignment to them.

Add here what a fitted layer knows about itself and how customers are assigned to its clusters.
The pattern over several layers lives in `cells`, and the search for clusters in `structure`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.segmentation.scaling import FeatureScale, fit_scales, scaled_values
from models_py.segmentation.structure import StructureSearch, find_structure, squared_distances


@dataclass(frozen=True)
class LayerModel:
    """A fitted layer of a stage.

    `centres` has shape (cluster, used feature) and `keys` one entry per cluster. `keys_minted` is
    the highest number ever used for a key here, so that a retired key is not handed out again.
    """

    stage: str
    layer: str
    scales: tuple[FeatureScale, ...]
    centres: np.ndarray
    keys: tuple[str, ...]
    keys_minted: int
    customers_count: int
    worst_jaccard: float
    silhouette: float
    reason: str

    def assign(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return cluster position, distance and margin of assignment per row, shapes (customer,).

        Distance is Euclidean on the fitted scale. The margin is 1 - nearest / second nearest: 0 on
        a border between two clusters, near 1 at a centre, and NaN where there is a single cluster.
        """
        distances = np.sqrt(squared_distances(scaled_values(frame, self.scales), self.centres))
        position = distances.argmin(axis=1)
        nearest = distances.min(axis=1, initial=np.inf)
        margin = np.full(len(frame), np.nan)
        if len(self.keys) > 1:
            second = np.partition(distances, 1, axis=1)[:, 1]
            margin = 1.0 - np.divide(nearest, second, out=np.ones_like(nearest), where=second > 0.0)
        return position, np.round(nearest, 9), np.round(margin, 9)


def fit_layer(
    frame: pd.DataFrame, stage: str, layer: str, features: Sequence[str], search: StructureSearch
) -> LayerModel:
    """Fit one layer on the customers of one stage, ordered by customer_id."""
    scales = fit_scales(frame, features)
    structure = find_structure(scaled_values(frame, scales), search)
    count = len(structure.centres)
    return LayerModel(
        stage=stage,
        layer=layer,
        scales=scales,
        centres=structure.centres,
        keys=tuple(cluster_key(stage, layer, number) for number in range(1, count + 1)),
        keys_minted=count,
        customers_count=len(frame),
        worst_jaccard=structure.worst_jaccard,
        silhouette=structure.silhouette,
        reason=structure.reason,
    )


def assign_layer(
    frame: pd.DataFrame, layer: str, models: Mapping[tuple[str, str], LayerModel]
) -> pd.DataFrame:
    """Assign the customers of all stages in one layer; columns of `Microsegmentation.predict`."""
    stages = frame["stage"].astype(object).to_numpy()
    keys = np.array([f"{stage}-all" for stage in stages], dtype=object)
    distance, margin = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for stage in sorted(set(stages)):
        model = models.get((str(stage), layer))
        if model is not None:
            here = np.flatnonzero(stages == stage)
            position, distance[here], margin[here] = model.assign(frame.iloc[here])
            keys[here] = np.array(model.keys, dtype=object)[position]
    return pd.DataFrame(
        {
            "customer_id": frame["customer_id"].to_numpy(),
            "stage": stages,
            "layer": layer,
            "cluster_key": keys,
            "distance": distance,
            "assignment_margin": margin,
        }
    )


def layer_code(layer: str) -> str:
    """Return the initials of the layer: value_behaviour -> vb, geography -> ge."""
    words = layer.split("_")
    return "".join(word[0] for word in words) if len(words) > 1 else layer[:2]


def cluster_key(stage: str, layer: str, number: int) -> str:
    """Return the key of a cluster, for example ``at_risk-vb-02``; the number has no meaning."""
    return f"{stage}-{layer_code(layer)}-{number:02d}"


def require_layer_names(layers: Iterable[str]) -> None:
    """Refuse layers whose keys could not be told apart.

    Raises
    ------
    ValueError
        If two layers share their initials, or a name is not made of lower-case words.
    """
    seen: dict[str, str] = {}
    for layer in layers:
        if not all(word.isalpha() and word.islower() for word in layer.split("_")):
            raise ValueError(f"layer {layer!r}: use lower-case words joined by underscores.")
        other = seen.setdefault(layer_code(layer), layer)
        if other != layer:
            raise ValueError(
                f"layers {other!r} and {layer!r} share the code {layer_code(layer)!r} of their "
                "keys: rename one."
            )
