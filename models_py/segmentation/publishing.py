"""From fitted layers to published micro-segments: the pattern of each stage, and its cells.

Add here a step between clustering and the catalogue.
The rules for a layer or a cell to be in live in `patterns`, what describes a cell in `profiles`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import pandas as pd

from models_py.segmentation import profiles
from models_py.segmentation.cells import Cell, microsegments_of, pattern_text
from models_py.segmentation.patterns import pattern_orders, published
from models_py.segmentation.succession import carry_keys

if TYPE_CHECKING:
    from models_py.segmentation.microsegments import Microsegmentation

LEAST_COVERAGE = 0.5
"""A layer that knows fewer stays out of the pattern: most keys would only say "not known"."""


@dataclass(frozen=True)
class Former:
    """The fit before a refit.

    Attributes
    ----------
    model : Microsegmentation
    assigned : DataFrame
        Its `microsegments` of the customers of the refit.
    cells : mapping of key to Cell
        Its micro-segments, with stages in which nobody was (`succession.with_whole_stages`).
    """

    model: Microsegmentation
    assigned: pd.DataFrame
    cells: Mapping[str, Cell]


def publish(
    frame: pd.DataFrame,
    assigned: pd.DataFrame,
    model: Microsegmentation,
    former: Former | None = None,
) -> tuple[dict[str, tuple[int, ...]], dict[str, Cell]]:
    """Fix the layers of each stage's pattern, and the cells; those of the former fit stand.

    `assigned` is what the layers of `model` say of the customers of `frame`, with final keys.
    """
    names = list(model.layers)
    before = former.model if former else None
    orders = pattern_orders(
        assigned,
        names,
        _structured(model),
        model.floor,
        {stage: before.pattern_layers(stage) for stage in before.orders_} if before else {},
        _structured(before) if before else frozenset(),
    )
    # Everyone may also be unknown in a layer, which is one more cluster.
    possible = {
        stage: prod(len(model.models_[stage, names[place]].keys) + 1 for place in order)
        for stage, order in orders.items()
    }
    standing = (
        {pattern_text(list(before.layers), cell.pattern) for cell in before.cells_.values()}
        if before
        else frozenset()
    )
    cells = published(assigned, names, orders, possible, model.floor, standing)
    placed = microsegments_of(assigned, names, cells, orders)
    keys = placed["microsegment_key"]
    if former and before:
        carried = carry_keys(
            former.assigned,
            placed,
            former.cells,
            cells,
            (list(before.layers), names),
            before.ended_,
            model.key_overlap,
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
