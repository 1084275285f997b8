"""One clustered layer of one stage: its scales, clusters and keys, and the assignment to them.

Add here what a fitted layer knows about itself and how customers are assigned to its clusters.
The pattern over several layers lives in `cells`, and the search for clusters in `structure`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.segmentation.clusterers import Clusters
from models_py.segmentation.gates import StructureSearch
from models_py.segmentation.scaling import FeatureScale, fit_scales, known, scaled_values
from models_py.segmentation.specs import LayerSpec
from models_py.segmentation.structure import NOT_KNOWN, find_structure, single


@dataclass(frozen=True)
class LayerModel:
    """A fitted layer of a stage.

    `keys` has one entry per cluster. `keys_minted` is the highest number ever used for a key here,
    so that a retired key is not handed out again. Customers of whom no used feature is known have
    `unknown_key`, and clusters are fitted on the others: `covered_count` of `customers_count`.
    """

    stage: str
    layer: str
    scales: tuple[FeatureScale, ...]
    clusters: Clusters
    keys: tuple[str, ...]
    keys_minted: int
    customers_count: int
    covered_count: int
    worst_jaccard: float
    silhouette: float
    reason: str

    @property
    def has_structure(self) -> bool:
        """Whether the layer tells customers of the stage apart, and so belongs to the pattern."""
        return len(self.keys) > 1

    @property
    def unknown_key(self) -> str:
        """The key of those of whom nothing is known in this layer, for example ``new-de-00``."""
        return cluster_key(self.stage, self.layer, 0)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the scaled values."""
        return tuple(name for scale in self.scales if scale.is_used for name in scale.columns)

    def assign(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return cluster position, distance and margin of assignment per row, shapes (customer,).

        Position is -1 for customers of whom nothing is known, with NaN in the others. Distance is
        that of `Clusters.distances`. The margin is 1 - nearest / second nearest: 0 on a border
        between two clusters, near 1 at a centre, and NaN where there is a single cluster.
        """
        values, covered = scaled_values(frame, self.scales)
        if not self.keys or not values.shape[1]:
            # Without a used feature there is one group of all, and nobody has a distance in it.
            position = np.full(len(frame), 0 if self.keys else -1)
            return position, np.full(len(frame), np.nan), np.full(len(frame), np.nan)
        distances = self.clusters.distances(values)
        position = distances.argmin(axis=1)
        nearest = distances.min(axis=1, initial=np.inf)
        margin = np.full(len(frame), np.nan)
        if len(self.keys) > 1:
            second = np.partition(distances, 1, axis=1)[:, 1]
            margin = 1.0 - np.divide(nearest, second, out=np.ones_like(nearest), where=second > 0.0)
        position[~covered], nearest[~covered], margin[~covered] = -1, np.nan, np.nan
        return position, np.round(nearest, 9), np.round(margin, 9)


def fit_layer(
    frame: pd.DataFrame,
    stage: str,
    layer: str,
    spec: LayerSpec,
    search: StructureSearch,
    previous: LayerModel | None = None,
) -> LayerModel:
    """Fit one layer on the customers of one stage, ordered by customer_id.

    `previous` is the same layer at the fit before: its clusters are kept while they stand.
    """
    covered = frame[known(frame, spec.candidates)]
    scales = fit_scales(covered, spec)
    values, is_known = scaled_values(covered, scales)
    if values.shape[1]:
        covered, values = covered[is_known], values[is_known]
    if len(covered):
        structure = find_structure(
            values,
            search,
            spec.algorithm,
            _discrete(scales),
            _standing(covered, spec, previous),
        )
        count = structure.clusters.count
    else:
        structure, count = single(values, NOT_KNOWN), 0
    return LayerModel(
        stage=stage,
        layer=layer,
        scales=scales,
        clusters=structure.clusters,
        keys=tuple(cluster_key(stage, layer, number) for number in range(1, count + 1)),
        keys_minted=count,
        customers_count=len(frame),
        covered_count=len(covered),
        worst_jaccard=structure.worst_jaccard,
        silhouette=structure.silhouette,
        reason=structure.reason,
    )


def assign_layer(
    frame: pd.DataFrame, layer: str, models: Mapping[tuple[str, str], LayerModel]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cluster key, distance and margin of the customers of all stages in one layer.

    A stage without a model of the layer has the key ``<stage>-all``.
    """
    codes, stages = pd.factorize(frame["stage"], sort=True)
    keys = np.empty(len(frame), dtype=object)
    distance, margin = np.full(len(frame), np.nan), np.full(len(frame), np.nan)
    for code, stage in enumerate(stages):
        here = np.flatnonzero(codes == code)
        model = models.get((str(stage), layer))
        if model is None:
            keys[here] = f"{stage}-all"
            continue
        position, distance[here], margin[here] = model.assign(frame.iloc[here])
        names = np.array([*model.keys, model.unknown_key], dtype=object)
        keys[here] = names[position]  # -1 is the last: unknown
    return keys, distance, margin


def layer_code(layer: str) -> str:
    """Return the initials of the layer: price_sensitivity -> ps, geography -> ge."""
    words = layer.split("_")
    return "".join(word[0] for word in words) if len(words) > 1 else layer[:2]


def cluster_key(stage: str, layer: str, number: int) -> str:
    """Return the key of a cluster, for example ``at_risk-va-02``; the number has no meaning."""
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


def _discrete(scales: Sequence[FeatureScale]) -> list[tuple[int, int]]:
    """Columns of each categorical feature."""
    spans, start = [], 0
    for scale in scales:
        if scale.is_used:
            stop = start + len(scale.columns)
            spans += [(start, stop)] if scale.is_discrete else []
            start = stop
    return spans


def _standing(
    covered: pd.DataFrame, spec: LayerSpec, previous: LayerModel | None
) -> tuple[str, np.ndarray] | None:
    """What the fit before says of the customers, where it found clusters by a wanted algorithm."""
    if previous is None or not previous.has_structure:
        return None
    algorithm = previous.clusters.algorithm
    needed = {scale.feature for scale in previous.scales if scale.is_used}
    if spec.algorithm not in (algorithm, "auto") or not needed <= set(covered.columns):
        return None
    return algorithm, previous.assign(covered)[0]
