"""One fitted layer as rows of numbers: its scales, clusters and keys, and back.

Add here a quantity of a layer that assignment needs.
Specs, cells and the table as a whole are in `parameters`.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from models_py.segmentation.clusterers import Clusters
from models_py.segmentation.layers import LayerModel
from models_py.segmentation.scaling import KINDS, FeatureScale
from models_py.segmentation.specs import ALGORITHMS, LayerSpec
from models_py.segmentation.structure import REASONS

Put = Callable[..., None]
NONE = "*"
SCALE_QUANTITIES = ("fill", "lower", "upper", "centre", "scale", "missing_share")
_FACTOR = ("key", "quantity", "feature", "value")
LAYER_QUANTITIES = (
    "keys_minted",
    "customers_count",
    "covered_count",
    "worst_jaccard",
    "silhouette",
)


def put_layer(put: Put, model: LayerModel) -> None:
    """Write a layer; `put` takes the value, the quantity, then stage, layer, key and feature."""
    stage, layer, clusters = model.stage, model.layer, model.clusters
    for quantity in LAYER_QUANTITIES:
        put(getattr(model, quantity), quantity, stage, layer)
    put(REASONS.index(model.reason), "reason", stage, layer)
    put(ALGORITHMS.index(clusters.algorithm), "algorithm", stage, layer)
    for scale in model.scales:
        _put_scale(put, scale, stage, layer)
    for position, key in enumerate(model.keys):
        put(position, "key_position", stage, layer, key)
    if not model.keys:
        return
    columns = [quoted(name) for name in model.columns]
    for number, (owner, centre) in enumerate(zip(clusters.owner, clusters.centres, strict=True)):
        put(owner, f"owner:{number}", stage, layer)
        for column, value in zip(columns, centre, strict=True):
            put(value, f"centre:{number}", stage, layer, NONE, column)
    if clusters.factors is not None and clusters.log_weights is not None:
        for key, weight, factor in zip(
            model.keys, clusters.log_weights, clusters.factors, strict=True
        ):
            put(weight, "log_weight", stage, layer, key)
            for row, at in zip(*np.triu_indices(len(factor)), strict=True):
                put(factor[row, at], f"factor:{row}", stage, layer, key, columns[int(at)])


def layer_from_rows(stage: str, layer: str, part: pd.DataFrame, spec: LayerSpec) -> LayerModel:
    """Read a layer back from its rows: key, feature, quantity, value."""
    whole = numbers(part[(part["key"] == NONE) & (part["feature"] == NONE)], "quantity")
    features = part[(part["key"] == NONE) & (part["feature"] != NONE)]
    of_scale = {str(name): rows for name, rows in features.groupby("feature")}
    scales = tuple(
        _scale(feature, numbers(of_scale[quoted(feature)], "quantity")) for feature in spec.named
    )
    positions = numbers(part[part["quantity"] == "key_position"], "key")
    keys = tuple(sorted(positions, key=lambda key: positions[key]))
    columns = [quoted(name) for scale in scales if scale.is_used for name in scale.columns]
    return LayerModel(
        stage=stage,
        layer=layer,
        scales=scales,
        clusters=_clusters(part, whole, keys, columns),
        keys=keys,
        keys_minted=int(whole["keys_minted"]),
        customers_count=int(whole["customers_count"]),
        covered_count=int(whole["covered_count"]),
        worst_jaccard=whole["worst_jaccard"],
        silhouette=whole["silhouette"],
        reason=REASONS[int(whole["reason"])],
    )


def numbers(part: pd.DataFrame, column: str) -> dict[str, float]:
    """Values by the names in one column."""
    return dict(zip(part[column], part["value"], strict=True))


def quoted(name: str) -> str:
    """A name without the characters that part a parameter."""
    return quote(name, safe=" =+<>$.,-()")


def unquoted(name: str) -> str:
    """The name that was quoted."""
    return unquote(name)


def _put_scale(put: Put, scale: FeatureScale, stage: str, layer: str) -> None:
    where = (stage, layer, NONE, quoted(scale.feature))
    put(KINDS.index(scale.kind), "kind", *where)
    put(scale.status, "status", *where)
    for quantity in SCALE_QUANTITIES:
        put(getattr(scale, quantity), quantity, *where)
    for number, (knot, score) in enumerate(zip(scale.knots, scale.scores, strict=True)):
        put(knot, f"knot:{number}", *where)
        put(score, f"score:{number}", *where)
    for number, level in enumerate(scale.levels):
        put(number, f"level:{quoted(level)}", *where)
    for number, share in enumerate(scale.shares):
        put(share, f"share:{number}", *where)


def _scale(feature: str, one: dict[str, float]) -> FeatureScale:
    def listed(name: str) -> tuple[float, ...]:
        found = {int(q.partition(":")[2]): v for q, v in one.items() if q.startswith(f"{name}:")}
        return tuple(found[number] for number in sorted(found))

    levels = {q.partition(":")[2]: v for q, v in one.items() if q.startswith("level:")}
    return FeatureScale(
        feature,
        KINDS[int(one["kind"])],
        int(one["status"]),
        **{quantity: one[quantity] for quantity in SCALE_QUANTITIES},
        knots=listed("knot"),
        scores=listed("score"),
        levels=tuple(unquoted(name) for name in sorted(levels, key=lambda name: levels[name])),
        shares=listed("share"),
    )


def _clusters(
    part: pd.DataFrame, whole: dict[str, float], keys: tuple[str, ...], columns: list[str]
) -> Clusters:
    algorithm = ALGORITHMS[int(whole["algorithm"])]
    owners = {int(q[6:]): int(v) for q, v in whole.items() if q.startswith("owner:")}
    owner = np.array([owners[number] for number in sorted(owners)] or [0], dtype=int)
    place = {column: number for number, column in enumerate(columns)}
    centres = np.zeros((len(owner), len(columns)))
    told = part[part["quantity"].str.startswith("centre:")]
    for quantity, column, value in zip(*(told[name] for name in _FACTOR[1:]), strict=True):
        centres[int(quantity[7:]), place[column]] = value
    weights = numbers(part[part["quantity"] == "log_weight"], "key")
    if not weights:
        return Clusters(algorithm, centres, owner)
    factors = np.zeros((len(keys), len(columns), len(columns)))
    told = part[part["quantity"].str.startswith("factor:")]
    for key, quantity, column, value in zip(*(told[name] for name in _FACTOR), strict=True):
        factors[keys.index(key), int(quantity[7:]), place[column]] = value
    return Clusters(algorithm, centres, owner, factors, np.array([weights[key] for key in keys]))
