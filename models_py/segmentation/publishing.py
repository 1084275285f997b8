"""From fitted layers to published micro-segments: the pattern of each stage, and its cells.

Add here a step between clustering and the catalogue.
The rules for a layer or a cell to be in live in `patterns`, what describes a cell in `profiles`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import pandas as pd

from models_py.segmentation import profiles
from models_py.segmentation.cells import Cell, microsegments_of
from models_py.segmentation.patterns import pattern_orders, published

if TYPE_CHECKING:
    from models_py.segmentation.microsegments import Microsegmentation

LEAST_COVERAGE = 0.5
"""A layer that knows fewer stays out of the pattern: most keys would only say "not known"."""


def publish(
    frame: pd.DataFrame,
    assigned: pd.DataFrame,
    model: Microsegmentation,
    previous: Microsegmentation | None = None,
) -> tuple[dict[str, tuple[int, ...]], dict[str, Cell]]:
    """Fix the layers of each stage's pattern, and the cells; those of `previous` stand.

    `assigned` is what the layers of `model` say of the customers of `frame`, with final keys.
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
    standing = frozenset(previous.cells_) if previous else frozenset()
    cells = published(assigned, names, orders, possible, model.floor, standing)
    keys = microsegments_of(assigned, names, cells, orders)["microsegment_key"]
    return orders, profiles.describe_cells(frame, keys, cells, model.models_)


def _structured(model: Microsegmentation) -> frozenset[tuple[str, str]]:
    """Where a layer may join the pattern: it has structure and knows most of the stage."""
    return frozenset(
        where
        for where, layer in model.models_.items()
        if layer.has_structure and layer.covered_count >= LEAST_COVERAGE * layer.customers_count
    )
