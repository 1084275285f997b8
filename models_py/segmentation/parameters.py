"""Micro-segmentation as rows of a plain table: one number per row, and back, without a pickle.

Add here a quantity that a fitted model needs in order to assign customers again.
Writing the rows to the warehouse is the business of `dagster_project`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models_py.segmentation.cells import Cell, Pattern, microsegment_key
from models_py.segmentation.layers import LayerModel, layer_code
from models_py.segmentation.scaling import FeatureScale
from models_py.segmentation.structure import REASONS

MODEL = "microsegmentation"
NONE = "*"
CELL = "microsegment"
SCALE_QUANTITIES = ("fill", "lower", "upper", "centre", "scale", "missing_share")
LAYER_QUANTITIES = ("keys_minted", "customers_count", "worst_jaccard", "silhouette")


def to_rows(
    settings: Mapping[str, float],
    layers: Mapping[str, tuple[str, ...]],
    models: Mapping[tuple[str, str], LayerModel],
    cells: Mapping[str, Cell],
) -> pd.DataFrame:
    """Write a fitted micro-segmentation as rows.

    Returns
    -------
    DataFrame
        model, draw (NULL: no draws here), parameter, value. A parameter reads
        ``stage/layer/key/feature/quantity`` with * where a part does not apply.
    """
    rows: dict[str, float] = {}

    def put(value: float, quantity: str, *parts: str) -> None:
        rows["/".join([*parts, *[NONE] * (4 - len(parts)), quantity])] = float(value)

    for name, value in settings.items():
        put(value, name)
    for number, (layer, features) in enumerate(layers.items()):
        put(number, "layer_position", NONE, layer)
        for position, feature in enumerate(features):
            put(position, "feature_position", NONE, layer, NONE, feature)
    for (stage, layer), model in models.items():
        for quantity in LAYER_QUANTITIES:
            put(getattr(model, quantity), quantity, stage, layer)
        put(REASONS.index(model.reason), "reason", stage, layer)
        for scale in model.scales:
            where = (stage, layer, NONE, scale.feature)
            put(scale.is_log, "is_log", *where)
            put(scale.is_used, "is_used", *where)
            for quantity in SCALE_QUANTITIES:
                put(getattr(scale, quantity), quantity, *where)
        used = [scale.feature for scale in model.scales if scale.is_used]
        for position, key in enumerate(model.keys):
            put(position, "key_position", stage, layer, key)
            for feature, centre in zip(used, model.centres[position], strict=True):
                put(centre, "cluster_centre", stage, layer, key, feature)
    for cell in cells.values():
        put(cell.customers_count, "customers_count", cell.stage, CELL, cell.key)
        for feature, median in cell.medians.items():
            put(median, "median", cell.stage, CELL, cell.key, feature)
        for feature, gap in cell.gaps.items():
            put(gap, "gap", cell.stage, CELL, cell.key, feature)
    names = sorted(rows)
    return pd.DataFrame(
        {
            "model": MODEL,
            "draw": pd.array([pd.NA] * len(names), dtype="Int64"),
            "parameter": names,
            "value": [rows[name] for name in names],
        }
    )


def from_rows(
    parameters: pd.DataFrame,
) -> tuple[
    dict[str, float],
    dict[str, tuple[str, ...]],
    dict[tuple[str, str], LayerModel],
    dict[str, Cell],
]:
    """Read back what `to_rows` wrote: settings, layers, layer models and cells.

    Raises
    ------
    ValueError
        If there is no row of this model.
    """
    rows = parameters[parameters["model"] == MODEL] if "model" in parameters else parameters
    if rows.empty:
        raise ValueError(
            f"model_parameters has no row with model = '{MODEL}': fit and write it before it is "
            "read."
        )
    table = rows["parameter"].str.split("/", expand=True)
    table.columns = pd.Index(["stage", "layer", "key", "feature", "quantity"])
    table["value"] = rows["value"].astype(float)
    is_setting = (table[["stage", "layer", "key", "feature"]] == NONE).all(axis=1)
    settings = _numbers(table[is_setting], "quantity")
    layers = _layers(table[(table["stage"] == NONE) & ~is_setting])
    fitted = table[table["stage"] != NONE]
    models = {
        (str(stage), str(layer)): _layer_model(str(stage), str(layer), part, layers[str(layer)])
        for (stage, layer), part in fitted[fitted["layer"] != CELL].groupby(["stage", "layer"])
    }
    cells = {
        str(key): _cell(str(stage), str(key), part, tuple(layers))
        for (stage, key), part in fitted[fitted["layer"] == CELL].groupby(["stage", "key"])
    }
    return settings, layers, models, cells


def _numbers(part: pd.DataFrame, column: str) -> dict[str, float]:
    return dict(zip(part[column], part["value"], strict=True))


def _layers(part: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    names = _numbers(part[part["quantity"] == "layer_position"], "layer")
    features = part[part["quantity"] == "feature_position"].sort_values("value")
    return {
        name: tuple(features.loc[features["layer"] == name, "feature"])
        for name in sorted(names, key=lambda name: names[name])
    }


def _layer_model(
    stage: str, layer: str, part: pd.DataFrame, features: tuple[str, ...]
) -> LayerModel:
    whole = _numbers(part[(part["key"] == NONE) & (part["feature"] == NONE)], "quantity")
    scales = []
    for feature in features:
        one = _numbers(part[(part["key"] == NONE) & (part["feature"] == feature)], "quantity")
        numbers = {quantity: one[quantity] for quantity in SCALE_QUANTITIES}
        scales.append(FeatureScale(feature, bool(one["is_log"]), bool(one["is_used"]), **numbers))
    used = [scale.feature for scale in scales if scale.is_used]
    positions = _numbers(part[part["quantity"] == "key_position"], "key")
    keys = tuple(sorted(positions, key=lambda key: positions[key]))
    centres = np.zeros((len(keys), len(used)))
    for row, key in enumerate(keys):
        centre = _numbers(
            part[(part["key"] == key) & (part["quantity"] == "cluster_centre")], "feature"
        )
        centres[row] = [centre[feature] for feature in used]
    return LayerModel(
        stage=stage,
        layer=layer,
        scales=tuple(scales),
        centres=centres,
        keys=keys,
        keys_minted=int(whole["keys_minted"]),
        customers_count=int(whole["customers_count"]),
        worst_jaccard=whole["worst_jaccard"],
        silhouette=whole["silhouette"],
        reason=REASONS[int(whole["reason"])],
    )


def _cell(stage: str, key: str, part: pd.DataFrame, layers: tuple[str, ...]) -> Cell:
    count = part.loc[part["quantity"] == "customers_count", "value"].iloc[0]
    words = key.removeprefix(f"{stage}-").split("-")
    numbers = dict(zip(words[::2], words[1::2], strict=False))
    pattern: Pattern = tuple(
        f"{stage}-{layer_code(layer)}-{numbers[layer_code(layer)]}"
        if layer_code(layer) in numbers
        else None
        for layer in layers
    )
    if microsegment_key(stage, pattern) != key:
        raise ValueError(f"model_parameters names the cell {key!r}, which no layer explains.")
    medians = _numbers(part[part["quantity"] == "median"], "feature")
    gaps = _numbers(part[part["quantity"] == "gap"], "feature")
    return Cell(key, stage, pattern, int(count), medians, gaps)
