"""From fitted layers to published micro-segments: the pattern of each stage, and its cells.

Add here a step between clustering and the catalogue.
The rules for a layer or a cell to be in live in `patterns`, what describes a cell in `profiles`.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import pandas as pd

from models_py.segmentation import profiles
from models_py.segmentation.cells import Cell, microsegments_of
from models_py.segmentation.patterns import pattern_orders, published
from models_py.segmentation.succession import carry_keys

if TYPE_CHECKING:
    from models_py.segmentation.microsegments import Microsegmentation

LEAST_COVERAGE = 0.5
"""A layer that knows fewer stays out of the pattern: most keys would only say "not known"."""


def publish(
    frame: pd.DataFrame,
    assigned: pd.DataFrame,
    model: Microsegmentation,
    previous: Microsegmentation | None = None,
    former_cells: pd.DataFrame | None = None,
) -> tuple[dict[str, tuple[int, ...]], dict[str, Cell]]:
    """Fix the layers of each stage's pattern, and the cells; those of `previous` stand.

    `assigned` is what the layers of `model` say of the customers of `frame`, with final keys, and
    `former_cells` the micro-segments that `previous` puts the same customers into.
    """
    names = list(model.layers)
    former = (
        {stage: previous.pattern_layers(stage) for stage in previous.orders_} if previous else {}
    )
    orders = pattern_orders(
        assigned,
        names,
        _structured(model),
        model.floor,
        former,
        _structured(previous) if previous else frozenset(),
    )
    # Everyone may also be unknown in a layer, which is one more cluster.
    possible = {
        stage: prod(len(model.models_[stage, names[place]].keys) + 1 for place in order)
        for stage, order in orders.items()
    }
    standing = {cell.place for cell in previous.cells_.values()} if previous else frozenset()
    cells = published(assigned, names, orders, possible, model.floor, standing)
    placed = microsegments_of(assigned, names, cells, orders)
    keys = placed["microsegment_key"]
    if previous and former_cells is not None:
        same = {
            stage
            for stage, order in orders.items()
            if {names[place] for place in order} == set(former.get(stage, ()))
        }
        carried = carry_keys(
            former_cells, placed, previous.cells_, cells, same, previous.retired_, model.key_overlap
        )
        cells = {carried[at]: replace(cell, key=carried[at]) for at, cell in cells.items()}
        keys = keys.map(carried)
    return orders, profiles.describe_cells(frame, keys, cells, model.models_)


def _structured(model: Microsegmentation) -> frozenset[tuple[str, str]]:
    """Where a layer may join the pattern: it has structure and knows most of the stage."""
    return frozenset(
        where
        for where, layer in model.models_.items()
        if layer.has_structure and layer.covered_count >= LEAST_COVERAGE * layer.customers_count
    )
