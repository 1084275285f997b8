"""Micro-segmentation as rows of a plain table: one number per row, and back, without a pickle.

Add here a quantity that a fitted model needs in order to assign customers again.
Writing the rows to the warehouse is the business of `dagster_project`; clusters and scales are in
`parameters_of_layers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.segmentation.alignment import RETENTION_COLUMNS
from models_py.segmentation.cells import JOINT, OUT, Cell, Pattern, microsegment_key
from models_py.segmentation.layers import LayerModel, layer_code
from models_py.segmentation.parameters_of_layers import (
    NONE,
    Put,
    layer_from_rows,
    numbers,
    put_layer,
    quoted,
    unquoted,
)
from models_py.segmentation.parameters_of_old import is_old, translated
from models_py.segmentation.specs import ALGORITHMS, TRANSFORMS, LayerSpec

MODEL = "microsegmentation"
RETENTION = RETENTION_COLUMNS[2:]


@dataclass(frozen=True)
class Stored:
    """What the rows of a fitted micro-segmentation hold; see `Microsegmentation`."""

    settings: Mapping[str, float]
    layers: dict[str, LayerSpec]
    models: dict[tuple[str, str], LayerModel]
    cells: dict[str, Cell]
    ended: dict[str, tuple[str, str]]
    minted: dict[tuple[str, str], int]
    orders: dict[str, tuple[int, ...]]
    retention: pd.DataFrame


def to_rows(
    settings: Mapping[str, float],
    layers: Mapping[str, LayerSpec],
    models: Mapping[tuple[str, str], LayerModel],
    cells: Mapping[str, Cell],
    ended: Mapping[str, tuple[str, str]],
    minted: Mapping[tuple[str, str], int],
    orders: Mapping[str, Sequence[int]],
    retention: pd.DataFrame,
) -> pd.DataFrame:
    """Write a fitted micro-segmentation as rows.

    Returns
    -------
    DataFrame
        model, draw (NULL: no draws here), parameter, value. A parameter reads
        ``stage/layer/key/feature/quantity`` with * where a part does not apply; a quantity may
        carry a name after a colon, with / and % quoted as in addresses.
    """
    rows: dict[str, float] = {}

    def put(value: float, quantity: str, *parts: str) -> None:
        rows["/".join([*parts, *[NONE] * (4 - len(parts)), quantity])] = float(value)

    for name, value in settings.items():
        put(value, name)
    for number, (layer, spec) in enumerate(layers.items()):
        put(number, "layer_position", NONE, layer)
        _put_spec(put, layer, spec)
    for model in models.values():
        put_layer(put, model)
    for cell in cells.values():
        put(cell.customers_count, "customers_count", cell.stage, JOINT, cell.key)
        if cell.key != cell.place:
            put(0, f"place:{cell.place}", cell.stage, JOINT, cell.key)
        for feature, median in cell.medians.items():
            put(median, "median", cell.stage, JOINT, cell.key, quoted(feature))
        for feature, gap in cell.gaps.items():
            put(gap, "gap", cell.stage, JOINT, cell.key, quoted(feature))
    for key, (stage, identity) in ended.items():
        put(0, f"ended:{quoted(identity)}", stage, JOINT, key)
    for (stage, layer), number in minted.items():
        put(number, f"minted:{quoted(layer)}", stage, JOINT)
    names = list(layers)
    for stage, order in orders.items():
        put(len(order), "pattern_layers", stage, JOINT)
        for place, position in enumerate(order):
            put(place, f"drop_position:{names[position]}", stage, JOINT)
    for stage, layer, *shares in retention[RETENTION_COLUMNS].itertuples(index=False):
        for quantity, share in zip(RETENTION, shares, strict=True):
            # NULL is no number of a parameter; -1 stands for a share of nobody.
            put(-1.0 if np.isnan(share) else share, f"{quantity}:{layer}", stage, JOINT)
    written = sorted(rows)
    return pd.DataFrame(
        {
            "model": MODEL,
            "draw": pd.array([pd.NA] * len(written), dtype="Int64"),
            "parameter": written,
            "value": [rows[name] for name in written],
        }
    )


def from_rows(parameters: pd.DataFrame) -> Stored:
    """Read back what `to_rows` wrote, in this release or the one before.

    Raises
    ------
    ValueError
        If there is no row of this model, or they are in the format of another release.
    """
    rows = parameters[parameters["model"] == MODEL] if "model" in parameters else parameters
    if rows.empty:
        raise ValueError(
            f"model_parameters has no row with model = '{MODEL}': fit and write it before it is "
            "read."
        )
    try:
        return _read(rows)
    except (KeyError, IndexError) as error:
        raise ValueError(
            f"model_parameters has {len(rows)} rows with model = '{MODEL}' in a format that this "
            f"release does not read ({error!r}): fit the micro-segments again."
        ) from error


def _read(rows: pd.DataFrame) -> Stored:
    table = rows["parameter"].str.split("/", expand=True)
    table.columns = pd.Index(["stage", "layer", "key", "feature", "quantity"])
    table["value"] = rows["value"].astype(float)
    if is_old(table):
        table = translated(table)
    is_setting = (table[["stage", "layer", "key", "feature"]] == NONE).all(axis=1)
    settings = numbers(table[is_setting], "quantity")
    layers = _layers(table[(table["stage"] == NONE) & ~is_setting])
    fitted = table[table["stage"] != NONE]
    models = {
        (str(stage), str(layer)): layer_from_rows(str(stage), str(layer), part, layers[str(layer)])
        for (stage, layer), part in fitted[fitted["layer"] != JOINT].groupby(["stage", "layer"])
    }
    joint = fitted[fitted["layer"] == JOINT]
    orders = {
        str(stage): _order(part, list(layers))
        for stage, part in joint[joint["key"] == NONE].groupby("stage")
        if (part["quantity"] == "pattern_layers").any()
    }
    of_keys = joint[joint["key"] != NONE]
    is_ended = of_keys["quantity"].str.startswith("ended:")
    ended = {
        key: (stage, unquoted(quantity.partition(":")[2]))
        for stage, key, quantity in of_keys.loc[is_ended, ["stage", "key", "quantity"]].to_numpy()
    }
    numbered = joint[joint["quantity"].str.startswith("minted:")]
    minted = {
        (stage, unquoted(quantity.partition(":")[2])): int(number)
        for stage, quantity, number in numbered[["stage", "quantity", "value"]].to_numpy()
    }
    cells = {
        str(key): _cell(str(stage), str(key), part, tuple(layers), orders[str(stage)])
        for (stage, key), part in of_keys[~is_ended].groupby(["stage", "key"])
    }
    return Stored(settings, layers, models, cells, ended, minted, orders, _retention(joint))


def _put_spec(put: Put, layer: str, spec: LayerSpec) -> None:
    put(ALGORITHMS.index(spec.algorithm), "algorithm", NONE, layer)
    for quantity in ("features", "always", "never"):
        for position, feature in enumerate(getattr(spec, quantity)):
            put(position, quantity, NONE, layer, NONE, feature)
    for position, stage in enumerate(spec.stages):
        put(position, f"stages:{stage}", NONE, layer)
    for feature, transform in spec.transforms.items():
        put(TRANSFORMS.index(transform), "transform", NONE, layer, NONE, feature)


def _layers(part: pd.DataFrame) -> dict[str, LayerSpec]:
    names = numbers(part[part["quantity"] == "layer_position"], "layer")
    return {
        name: _spec(part[part["layer"] == name])
        for name in sorted(names, key=lambda name: names[name])
    }


def _spec(part: pd.DataFrame) -> LayerSpec:
    def listed(quantity: str) -> tuple[str, ...]:
        return tuple(part[part["quantity"] == quantity].sort_values("value")["feature"])

    stages = part[part["quantity"].str.startswith("stages:")].sort_values("value")["quantity"]
    algorithm = part.loc[part["quantity"] == "algorithm", "value"].iloc[0]
    chosen = numbers(part[part["quantity"] == "transform"], "feature")
    return LayerSpec(
        listed("features"),
        listed("always"),
        listed("never"),
        ALGORITHMS[int(algorithm)],
        tuple(stage.partition(":")[2] for stage in stages),
        {feature: TRANSFORMS[int(code)] for feature, code in chosen.items()},
    )


def _order(part: pd.DataFrame, layers: Sequence[str]) -> tuple[int, ...]:
    drops = part[part["quantity"].str.startswith("drop_position:")].sort_values("value")
    return tuple(layers.index(text.partition(":")[2]) for text in drops["quantity"])


def _retention(joint: pd.DataFrame) -> pd.DataFrame:
    split = joint["quantity"].str.partition(":")
    told = joint.assign(what=split[0], layer=split[2])[split[0].isin(RETENTION).to_numpy()]
    wide = told.set_index(["stage", "layer", "what"])["value"].unstack("what")  # noqa: PD010
    wide = wide.reset_index()
    wide = wide.reindex(columns=RETENTION_COLUMNS).rename_axis(columns=None)
    return wide.assign(**{name: wide[name].where(wide[name] >= 0.0) for name in RETENTION})


def _cell(
    stage: str, key: str, part: pd.DataFrame, layers: tuple[str, ...], order: tuple[int, ...]
) -> Cell:
    count = part.loc[part["quantity"] == "customers_count", "value"].iloc[0]
    told = part.loc[part["quantity"].str.startswith("place:"), "quantity"]
    place = told.iloc[0].partition(":")[2] if len(told) else key
    words = place.removeprefix(f"{stage}-").split("-")
    named = dict(zip(words[::2], words[1::2], strict=False))
    pattern: Pattern = tuple(
        f"{stage}-{layer_code(layer)}-{named[layer_code(layer)]}"
        if layer_code(layer) in named
        else (None if position in order else OUT)
        for position, layer in enumerate(layers)
    )
    if microsegment_key(stage, pattern) != place:
        raise ValueError(f"model_parameters names the cell {place!r}, which no layer explains.")
    medians = numbers(part[part["quantity"] == "median"], "feature")
    gaps = numbers(part[part["quantity"] == "gap"], "feature")
    return Cell(
        key,
        stage,
        pattern,
        int(count),
        {unquoted(name): value for name, value in medians.items()},
        {unquoted(name): value for name, value in gaps.items()},
    )
