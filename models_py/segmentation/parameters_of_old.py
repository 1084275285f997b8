"""Rows of a fit by the release before layers had specs, put into the words of today.

Add here the translation of a format that is no more written, so that keys live on when a warehouse
meets a new release. Today's format is in `parameters` and `parameters_of_layers`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from models_py.segmentation.cells import JOINT
from models_py.segmentation.parameters_of_layers import NONE, numbers
from models_py.segmentation.scaling import CONSTANT, KINDS, MAX_MISSING_SHARE, MISSING, USED
from models_py.segmentation.specs import ALGORITHMS

Row = tuple[str, str, str, str, str, float]
_ONLY_THEN = ("feature_position", "is_log", "is_used", "cluster_centre")


def is_old(table: pd.DataFrame) -> bool:
    """Whether the rows are of that format, which listed the features of a layer otherwise."""
    return bool((table["quantity"] == "feature_position").any())


def translated(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of today's format that assign customers as the old ones did.

    All layers were k-means, every layer was in the pattern of its stage, and the one with the
    lowest silhouette was dropped first. One thing differs: of whom nothing at all is known in a
    layer was put at the medians, and is now told apart.

    Parameters
    ----------
    table : DataFrame
        stage, layer, key, feature, quantity, value.
    """
    rows: list[Row] = []
    names = numbers(table[table["quantity"] == "layer_position"], "layer")
    layers = sorted(names, key=lambda name: names[name])
    listed = table[table["quantity"] == "feature_position"]
    rows += [(NONE, one.layer, NONE, one.feature, "features", one.value) for one in _rows(listed)]
    kmeans = float(ALGORITHMS.index("kmeans"))
    rows += [(NONE, layer, NONE, NONE, "algorithm", kmeans) for layer in layers]
    of_layers = table[(table["stage"] != NONE) & (table["layer"] != JOINT)]
    worth: dict[str, dict[str, float]] = {}
    for where, part in of_layers.groupby(["stage", "layer"]):
        stage, layer = map(str, where)
        whole = numbers(part[(part["key"] == NONE) & (part["feature"] == NONE)], "quantity")
        worth.setdefault(stage, {})[layer] = whole["silhouette"]
        rows.append((stage, layer, NONE, NONE, "algorithm", kmeans))
        rows.append((stage, layer, NONE, NONE, "covered_count", whole["customers_count"]))
        rows += _scales(stage, layer, part)
        rows += _centres(stage, layer, part)
    for stage, silhouettes in worth.items():
        rows.append((stage, JOINT, NONE, NONE, "pattern_layers", float(len(layers))))
        order = sorted(layers, key=lambda name: (silhouettes[name], -layers.index(name)))
        rows += [
            (stage, JOINT, NONE, NONE, f"drop_position:{layer}", float(place))
            for place, layer in enumerate(order)
        ]
    kept = table[~table["quantity"].isin(_ONLY_THEN)]
    added = pd.DataFrame(rows, columns=["stage", "layer", "key", "feature", "quantity", "value"])
    return pd.concat([kept, added], ignore_index=True)


def _scales(stage: str, layer: str, part: pd.DataFrame) -> list[Row]:
    rows: list[Row] = []
    shares = numbers(part[part["quantity"] == "missing_share"], "feature")
    for feature, is_log in numbers(part[part["quantity"] == "is_log"], "feature").items():
        rows.append((stage, layer, NONE, feature, "kind",
                     float(KINDS.index("log" if is_log else "number"))))  # fmt: skip
        unused = MISSING if shares[feature] > MAX_MISSING_SHARE else CONSTANT
        used = part[(part["quantity"] == "is_used") & (part["feature"] == feature)]["value"].iloc[0]
        rows.append((stage, layer, NONE, feature, "status", float(USED if used else unused)))
    return rows


def _centres(stage: str, layer: str, part: pd.DataFrame) -> list[Row]:
    positions = numbers(part[part["quantity"] == "key_position"], "key")
    rows: list[Row] = [
        (stage, layer, NONE, NONE, f"owner:{int(place)}", place) for place in positions.values()
    ]
    told = part[part["quantity"] == "cluster_centre"]
    rows += [
        (stage, layer, NONE, one.feature, f"centre:{int(positions[one.key])}", one.value)
        for one in _rows(told)
    ]
    return rows


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples(index=False))
