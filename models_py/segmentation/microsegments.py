"""Micro-segmentation: clusters per stage and layer, and the pattern of them, with stable keys.

Add here what fits, assigns and aligns all layers of all stages together.
The parts live beside it: `scaling`, `structure`, `layers`, `cells`, `naming`, `alignment`,
`profiles` and `parameters`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import pandas as pd

from models_py.frames import require_columns, require_complete
from models_py.segmentation import alignment, parameters, profiles
from models_py.segmentation.cells import (
    Cell,
    Pattern,
    microsegments_of,
    pattern_text,
    patterns_of,
    publish_cells,
)
from models_py.segmentation.layers import (
    LayerModel,
    assign_layer,
    fit_layer,
    require_layer_names,
)
from models_py.segmentation.naming import microsegment_names
from models_py.segmentation.structure import StructureSearch

DEFAULT_LAYERS: dict[str, tuple[str, ...]] = {
    "value_behaviour": (
        "predicted_revenue_mean",
        "average_order_amount",
        "median_gap_days",
        "recency_days",
        "discount_share",
        "categories_count",
    ),
}


class Microsegmentation:
    """Clusters within each lifecycle stage and layer, joined into micro-segments.

    Customers of a stage are taken to come from a few groups per layer that are round on the fitted
    scale (k-means), or from one group. The micro-segment of a customer is the stage and the pattern
    of clusters over the layers; a cell that was under the floor at the fit falls back by dropping
    the least informative layer (lowest silhouette), at last to the stage.

    Parameters
    ----------
    layers : mapping of layer name to feature columns
        The first feature orders the clusters when they are first numbered.
    max_clusters : int
        Most clusters tried per stage and layer.
    stability_floor : float
        Least mean bootstrap Jaccard of the worst cluster (Hennig 2007: 0.75).
    floor : int
        Least customers in a cluster and in a cell.
    random_state : int
    n_bootstraps : int
    stability_sample, fit_sample : int
        Most customers per stage for the choice of the number of clusters, and for their centres.
    key_overlap : float
        Least Jaccard between an old and a new cluster for the key to go on.

    Attributes
    ----------
    models_ : dict of (stage, layer) to LayerModel
    cells_ : dict of microsegment_key to Cell
    """

    def __init__(
        self,
        layers: Mapping[str, Sequence[str]] | None = None,
        *,
        max_clusters: int = 6,
        stability_floor: float = 0.75,
        floor: int = 50,
        random_state: int = 20260101,
        n_bootstraps: int = 100,
        stability_sample: int = 2_000,
        fit_sample: int = 50_000,
        key_overlap: float = 0.5,
    ) -> None:
        self.layers = {
            layer: tuple(features) for layer, features in (layers or DEFAULT_LAYERS).items()
        }
        self.max_clusters = max_clusters
        self.stability_floor = stability_floor
        self.floor = floor
        self.random_state = random_state
        self.n_bootstraps = n_bootstraps
        self.stability_sample = stability_sample
        self.fit_sample = fit_sample
        self.key_overlap = key_overlap

    def fit(self, frame: pd.DataFrame) -> Microsegmentation:
        """Find the clusters of every stage and layer, and fix which cells are published.

        Parameters
        ----------
        frame : DataFrame
            One row per customer: customer_id, stage, and every feature of the layers; NULL allowed
            in features.

        Raises
        ------
        ValueError
            If a column is missing, a feature is no number, a customer comes twice or has no stage.
        """
        require_layer_names(self.layers)
        frame = self._checked(frame)
        search = StructureSearch(
            self.max_clusters,
            self.stability_floor,
            self.floor,
            self.n_bootstraps,
            self.stability_sample,
            self.fit_sample,
            self.random_state,
        )
        self.models_: dict[tuple[str, str], LayerModel] = {
            (str(stage), layer): fit_layer(part, str(stage), layer, features, search)
            for stage, part in frame.groupby("stage", sort=True)
            for layer, features in self.layers.items()
        }
        self.cells_: dict[str, Cell] = {}
        assigned = self.predict(frame)
        wide = patterns_of(assigned, list(self.layers))
        for stage, part in wide.groupby("stage", sort=True):
            counts: dict[Pattern, int] = {
                tuple(str(name) for name in names): len(rows)
                for names, rows in part.groupby(list(self.layers))
            }
            possible = prod(len(self.models_[str(stage), layer].keys) for layer in self.layers)
            published = publish_cells(
                str(stage), counts, possible, self.floor, self._drop_order(str(stage))
            )
            self.cells_ |= {cell.key: cell for cell in published}
        keys = self.microsegments(assigned)["microsegment_key"]
        self.cells_ = profiles.describe_cells(frame, keys, self.cells_, self.models_)
        return self

    def predict(self, frame: pd.DataFrame, batch_size: int = 100_000) -> pd.DataFrame:
        """Assign customers to the fitted clusters; nobody's answer depends on anybody else's row.

        Parameters
        ----------
        frame : DataFrame
            As for `fit`. A stage the fit never saw has no clusters: cluster_key is then
            ``<stage>-all``, distance and margin NaN.

        Returns
        -------
        DataFrame
            customer_id, stage, layer, cluster_key, distance, assignment_margin (see
            `LayerModel.assign`); ordered by customer_id, then by layer as declared.
        """
        frame = self._checked(frame)
        pieces = [
            assign_layer(part, layer, self.models_)
            for start in range(0, max(len(frame), 1), batch_size)
            for part in [frame.iloc[start : start + batch_size]]
            for layer in self.layers
        ]
        every = pd.concat(pieces, ignore_index=True)
        # Batches follow customer_id, so a stable sort only has to interleave the layers.
        return every.sort_values("customer_id", kind="stable", ignore_index=True)

    def microsegments(self, assignments: pd.DataFrame) -> pd.DataFrame:
        """Join the layers of `predict` into one micro-segment per customer.

        Returns
        -------
        DataFrame
            customer_id, stage, microsegment_key, pattern, fallback_level (layers dropped); ordered
            by customer_id.
        """
        orders = {stage: self._drop_order(stage) for stage, _ in self.models_}
        return microsegments_of(assignments, list(self.layers), self.cells_, orders)

    def profile(self, frame: pd.DataFrame, assignments: pd.DataFrame) -> pd.DataFrame:
        """Describe micro-segments: microsegment_key, feature, mean, stage_mean, standardised_gap.

        `assignments` is the answer of `microsegments`; see `profiles.profile`.
        """
        names = list(dict.fromkeys(name for part in self.layers.values() for name in part))
        return profiles.profile(self._checked(frame), assignments, names)

    def catalogue(self) -> pd.DataFrame:
        """List the micro-segments of the fit: key, stage, name, pattern, fallback_level, size.

        customers_count is the size at the fit; 0 where only later customers can fall back to.
        """
        names = microsegment_names(self.cells_.values())
        cells = sorted(self.cells_.values(), key=lambda cell: cell.key)
        return pd.DataFrame(
            {
                "microsegment_key": [cell.key for cell in cells],
                "stage": [cell.stage for cell in cells],
                "microsegment_name": [names[cell.key] for cell in cells],
                "pattern": [pattern_text(list(self.layers), cell.pattern) for cell in cells],
                "fallback_level": [cell.fallback_level for cell in cells],
                "customers_count": [cell.customers_count for cell in cells],
            }
        )

    def quality(self) -> pd.DataFrame:
        """One row per stage and layer: size, clusters, worst Jaccard, silhouette, reason."""
        return profiles.quality(self.models_)

    def features(self) -> pd.DataFrame:
        """One row per stage, layer and feature: how it was treated, and how much was missing."""
        return profiles.features(self.models_)

    def align(self, previous: Microsegmentation, frame: pd.DataFrame) -> pd.DataFrame:
        """Take over the keys of `previous` where clusters are the same, and tell the lineage.

        Both models assign the same customers of `frame`, so what differs is the refit and not
        anyone's behaviour. A stage without customers in this fit keeps its former clusters. Changes
        the keys of this model in place.

        Returns
        -------
        DataFrame
            stage, layer, old_key, new_key, customers_count, overlap_share, jaccard, decision
            (continued, split, merged, born, retired): per cluster, and per micro-segment where
            layer is ``microsegment``. See `alignment.lineage_rows`.
        """
        frame = self._checked(frame)
        own_stages = {stage for stage, _ in self.models_}
        if previous.layers == self.layers:
            idle = {stage for stage, _ in previous.models_} - own_stages
            self.models_ |= {w: m for w, m in previous.models_.items() if w[0] in idle}
            self.cells_ |= {k: c for k, c in previous.cells_.items() if c.stage in idle}
        old, new = previous.predict(frame), self.predict(frame)
        self.models_, renamed, lineage = alignment.align_layers(
            previous.models_, self.models_, old, new, self.key_overlap
        )
        self.cells_ = alignment.renamed_cells(self.cells_, renamed)
        new["cluster_key"] = new["cluster_key"].replace(renamed)
        joint = alignment.joint_lineage(
            previous.microsegments(old), self.microsegments(new), previous.cells_, self.cells_
        )
        return pd.concat([lineage, joint], ignore_index=True)

    def parameters_frame(self) -> pd.DataFrame:
        """Write the fitted model as rows of model, draw, parameter, value."""
        settings = {name: float(getattr(self, name)) for name in _SETTINGS}
        return parameters.to_rows(settings, self.layers, self.models_, self.cells_)

    @classmethod
    def from_parameters(cls, frame: pd.DataFrame) -> Microsegmentation:
        """Read back what `parameters_frame` wrote; predictions are the same to the last bit."""
        settings, layers, models, cells = parameters.from_rows(frame)
        model = cls(layers)
        for name, kind in _SETTINGS.items():
            setattr(model, name, kind(settings[name]))
        model.models_, model.cells_ = models, cells
        return model

    def _drop_order(self, stage: str) -> list[int]:
        """Positions of the layers, least informative first; of equals the later one goes first."""
        worth = [self.models_[stage, layer].silhouette for layer in self.layers]
        return sorted(range(len(worth)), key=lambda position: (worth[position], -position))

    def _checked(self, frame: pd.DataFrame) -> pd.DataFrame:
        features = {name: "number" for part in self.layers.values() for name in part}
        require_columns(frame, {"customer_id": "string", "stage": "string"} | features, "features")
        require_complete(frame, ["customer_id", "stage"], "features", "Assign stages first.")
        if frame["customer_id"].duplicated().any():
            raise ValueError("features.customer_id has duplicates: pass one row per customer.")
        return frame.sort_values("customer_id", ignore_index=True)


_SETTINGS: dict[str, type] = {
    "max_clusters": int,
    "stability_floor": float,
    "floor": int,
    "random_state": int,
    "n_bootstraps": int,
    "stability_sample": int,
    "fit_sample": int,
    "key_overlap": float,
}
