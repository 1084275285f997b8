"""Micro-segmentation: clusters per stage and layer, and the pattern of them, with stable keys.

Add here what fits and assigns all layers of all stages together. The parts live beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models_py.frames import require_columns, require_complete
from models_py.segmentation import alignment, catalogue, parameters, profiles, succession
from models_py.segmentation.cells import Cell, microsegments_of
from models_py.segmentation.gates import StructureSearch
from models_py.segmentation.layers import (
    LayerModel,
    assign_layer,
    fit_layer,
    require_layer_names,
)
from models_py.segmentation.publishing import Former, publish
from models_py.segmentation.specs import LayerSpec, as_spec

DEFAULT_LAYERS: dict[str, tuple[str, ...]] = {
    "value": ("predicted_revenue_mean", "average_order_amount"),
    "behaviour": ("median_gap_days", "recency_days", "purchase_days_365d_count"),
    "price_sensitivity": ("discount_share", "discounted_order_share"),
}


class Microsegmentation:
    """Clusters within each lifecycle stage and layer, joined into micro-segments.

    Customers of a stage are taken to come from a few groups per layer on the fitted scale, or from
    one group. The micro-segment of a customer is the stage and the pattern of clusters over the
    layers that have more than one and whose cells hold the floor (`patterns.pattern_layers`); a
    cell that was under the floor at the fit falls back by dropping the layer declared last, at last
    to the stage.

    Parameters
    ----------
    layers : mapping of layer name to LayerSpec or feature columns
        In the order of their worth: the last is dropped first.
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
    ended_ : dict of microsegment_key to (stage, identity)
        Keys of former fits that nobody has (`succession.identity`).
    minted_ : dict of (stage, layer) to int
        Highest number of a key where a former fit had clusters and this one has none.
    orders_ : dict of stage to positions of the layers in its pattern, first to be dropped first
    retention_ : DataFrame
        stage, layer, key_retention_share, low_margin_share: see `alignment.retention`.
    lineage_ : DataFrame
        What became of the keys of the fit before (`alignment.LINEAGE_COLUMNS`); empty without one,
        and not stored with the parameters.
    """

    def __init__(
        self,
        layers: Mapping[str, LayerSpec | Sequence[str]] | None = None,
        *,
        max_clusters: int = 6,
        stability_floor: float = 0.75,
        floor: int = 50,
        random_state: int = 20260101,
        n_bootstraps: int = 100,
        stability_sample: int = 1_500,
        fit_sample: int = 50_000,
        key_overlap: float = 0.5,
    ) -> None:
        self.layers = {layer: as_spec(spec) for layer, spec in (layers or DEFAULT_LAYERS).items()}
        self.max_clusters = max_clusters
        self.stability_floor = stability_floor
        self.floor = floor
        self.random_state = random_state
        self.n_bootstraps = n_bootstraps
        self.stability_sample = stability_sample
        self.fit_sample = fit_sample
        self.key_overlap = key_overlap

    def fit(
        self, frame: pd.DataFrame, previous: Microsegmentation | None = None
    ) -> Microsegmentation:
        """Find the clusters of every stage and layer, and fix which cells are published.

        Parameters
        ----------
        frame : DataFrame
            One row per customer: customer_id, stage, and every feature of the layers; NULL allowed
            in features. Text is taken as categories.
        previous : Microsegmentation, optional
            The fit before. Its groupings are kept while they stand (`structure.find_structure`),
            its keys go on where clusters are the same, and its cells live on near the floor. Both
            models assign the same customers of `frame`, so what differs is the refit and not
            anyone's behaviour. A stage without customers today keeps its former clusters.

        Raises
        ------
        ValueError
            If a column is missing, a feature mixes texts and numbers, a customer comes twice or has
            no stage.
        """
        require_layer_names(self.layers)
        frame = self._checked(frame)
        search = StructureSearch(
            self.max_clusters, self.stability_floor, self.floor, self.n_bootstraps,
            self.stability_sample, self.fit_sample, self.random_state,
        )  # fmt: skip
        before = previous.models_ if previous else {}
        self.models_: dict[tuple[str, str], LayerModel] = {
            (str(stage), layer): fit_layer(
                part, str(stage), layer, spec, search, before.get((str(stage), layer))
            )
            for stage, part in frame.groupby("stage", sort=True)
            for layer, spec in self.layers.items()
            if spec.is_for(str(stage))
        }
        self.orders_: dict[str, tuple[int, ...]] = {}
        self.cells_: dict[str, Cell] = {}
        self.ended_: dict[str, tuple[str, str]] = {}
        self.minted_: dict[tuple[str, str], int] = {}
        self.lineage_ = pd.DataFrame(columns=alignment.LINEAGE_COLUMNS)
        self.retention_ = pd.DataFrame(columns=alignment.RETENTION_COLUMNS)
        if previous is None:
            self.orders_, self.cells_ = publish(frame, self.predict(frame), self)
            return self
        own = {stage for stage, _ in self.models_}
        idle = {stage for stage, _ in before} - own if previous.layers == self.layers else set()
        self.models_ |= {where: model for where, model in before.items() if where[0] in idle}
        old, new = previous.predict(frame), self.predict(frame)
        self.models_, renamed, lineage = alignment.align_layers(
            before, self.models_, old, new, self.key_overlap, previous.minted_
        )
        self.minted_ = alignment.minted_elsewhere(before, self.models_, previous.minted_)
        new["cluster_key"] = new["cluster_key"].replace(renamed)
        former = previous.microsegments(old)
        whole = succession.with_whole_stages(previous.cells_, former, list(previous.layers))
        self.orders_, self.cells_ = publish(frame, new, self, Former(previous, former, whole))
        for stage in idle:
            self.orders_[stage] = previous.orders_.get(stage, ())
            self.cells_ |= {k: c for k, c in previous.cells_.items() if c.stage == stage}
        self.ended_ = succession.ended_keys(
            whole, self.cells_, list(previous.layers), previous.ended_
        )
        cells = former, self.microsegments(new)
        joint = succession.joint_lineage(*cells, whole, self.cells_)
        self.lineage_ = pd.concat([lineage, joint], ignore_index=True)
        self.retention_ = alignment.retention(old, new, *cells, self._patterns())
        return self

    def predict(self, frame: pd.DataFrame, batch_size: int = 100_000) -> pd.DataFrame:
        """Assign customers to the fitted clusters; nobody's answer depends on anybody else's row.

        Parameters
        ----------
        frame : DataFrame
            As for `fit`. A stage or layer that was not fitted has no clusters: cluster_key is then
            ``<stage>-all``, distance and margin NaN.

        Returns
        -------
        DataFrame
            customer_id, stage, layer, cluster_key, distance, assignment_margin (see
            `LayerModel.assign`); ordered by customer_id, then by layer as declared.
        """
        frame = self._checked(frame)
        shape = (len(frame), len(self.layers))
        keys = np.empty(shape, dtype=object)
        distance, margin = np.empty(shape), np.empty(shape)
        for start in range(0, len(frame), batch_size):
            rows = slice(start, start + batch_size)
            part = frame.iloc[rows]
            for place, layer in enumerate(self.layers):
                found = assign_layer(part, layer, self.models_)
                keys[rows, place], distance[rows, place], margin[rows, place] = found
        return pd.DataFrame(
            {
                "customer_id": frame["customer_id"].repeat(shape[1]).to_numpy(),
                "stage": frame["stage"].repeat(shape[1]).to_numpy(),
                "layer": np.tile(np.array(list(self.layers), dtype=object), shape[0]),
                "cluster_key": keys.ravel(),
                "distance": distance.ravel(),
                "assignment_margin": margin.ravel(),
            }
        )

    def microsegments(self, assignments: pd.DataFrame) -> pd.DataFrame:
        """Join the layers of `predict` into one micro-segment per customer.

        Returns
        -------
        DataFrame
            customer_id, stage, microsegment_key, pattern, fallback_level (layers dropped); ordered
            by customer_id.
        """
        return microsegments_of(assignments, list(self.layers), self.cells_, self.orders_)

    def profile(self, frame: pd.DataFrame, assignments: pd.DataFrame) -> pd.DataFrame:
        """Describe the answer of `microsegments`; see `profiles.profile`."""
        scales = {
            scale.feature: scale
            for model in self.models_.values()
            for scale in model.scales
            if scale.is_used
        }
        return profiles.profile(self._checked(frame), assignments, scales)

    def catalogue(self, microsegments: pd.DataFrame | None = None) -> pd.DataFrame:
        """List the micro-segments of the fit, or of the answer of `microsegments`; see `catalogue`.

        Given that answer, every key in it has a row and sizes are those of it.
        """
        return catalogue.catalogue(self.cells_, list(self.layers), microsegments)

    def quality(self, assignments: pd.DataFrame | None = None) -> pd.DataFrame:
        """One row per stage and layer, and per stage for the joint pattern; see `profiles.quality`.

        `assignments` is the answer of `predict` whose sizes are told; without it those of the fit.
        """
        cells = None if assignments is None else self.microsegments(assignments)
        return profiles.quality(
            self.models_, self.cells_, self._patterns(), self.retention_, assignments, cells
        )

    def pattern_layers(self, stage: str) -> tuple[str, ...]:
        """Names of the layers in the pattern of a stage, first to be dropped first."""
        return tuple(list(self.layers)[place] for place in self.orders_.get(stage, ()))

    def features(self) -> pd.DataFrame:
        """One row per stage, layer and feature: how it was treated, and how much was missing."""
        return profiles.features(self.models_)

    def parameters_frame(self) -> pd.DataFrame:
        """Write the fitted model as rows of model, draw, parameter, value."""
        settings = {name: float(getattr(self, name)) for name in _SETTINGS}
        return parameters.to_rows(
            settings, self.layers, self.models_, self.cells_, self.ended_, self.minted_,
            self.orders_, self.retention_,
        )  # fmt: skip

    @classmethod
    def from_parameters(cls, frame: pd.DataFrame) -> Microsegmentation:
        """Read back what `parameters_frame` wrote; predictions are the same to the last bit."""
        stored = parameters.from_rows(frame)
        model = cls(stored.layers)
        for name, kind in _SETTINGS.items():
            if name in stored.settings:
                setattr(model, name, kind(stored.settings[name]))
        model.models_, model.cells_ = stored.models, stored.cells
        model.orders_, model.retention_ = stored.orders, stored.retention
        model.ended_, model.minted_ = stored.ended, stored.minted
        model.lineage_ = pd.DataFrame(columns=alignment.LINEAGE_COLUMNS)
        return model

    def _patterns(self) -> dict[str, tuple[str, ...]]:
        return {stage: self.pattern_layers(stage) for stage in self.orders_}

    def _checked(self, frame: pd.DataFrame) -> pd.DataFrame:
        features = {name: "any" for spec in self.layers.values() for name in spec.candidates}
        require_columns(frame, {"customer_id": "string", "stage": "string"} | features, "features")
        require_complete(frame, ["customer_id", "stage"], "features", "Assign stages first.")
        if frame["customer_id"].duplicated().any():
            raise ValueError("features.customer_id has duplicates: pass one row per customer.")
        if frame["customer_id"].is_monotonic_increasing:
            return frame.reset_index(drop=True)
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
