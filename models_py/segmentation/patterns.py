"""Which layers make the pattern of a stage, and which of its cells are published.

Add here a reason for a layer or a cell to be in or out, with its hysteresis at refits.
How customers find their cell, and how it is keyed, stays in `cells`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

from models_py.segmentation.cells import (
    OUT,
    Cell,
    Pattern,
    microsegment_key,
    pattern_text,
    patterns_of,
    reductions,
)

KEEP_SHARE = 0.6
"""A cell that stands lives on while it holds this share of the floor."""
JOIN_SHARE = 0.7
"""A layer joins the pattern if this share of the stage is then in cells that hold the floor."""
LATER_JOIN_SHARE = 0.8
"""The same at a refit, where a new layer splits the micro-segments of the stage."""
STAY_SHARE = 0.5
"""A layer that was in the pattern at the fit before stays while this share is."""


def pattern_orders(
    assigned: pd.DataFrame,
    layers: Sequence[str],
    structured: Collection[tuple[str, str]],
    floor: int,
    former: Mapping[str, Sequence[str]],
    structured_before: Collection[tuple[str, str]],
) -> dict[str, tuple[int, ...]]:
    """Choose the pattern of every stage by `pattern_layers`.

    Parameters
    ----------
    assigned : DataFrame
        The answer of `Microsegmentation.predict`.
    layers : sequence of str
    structured : collection of (stage, layer)
        Where there is more than one cluster.
    floor : int
    former : mapping of stage to names of layers
        The patterns of the fit before, for the stages that it knew.
    structured_before : collection of (stage, layer)
        Where that fit had more than one cluster.

    At a refit, a layer joins only if the fit before had found structure in it as well: a structure
    that comes with one sample and goes with the next would split all segments and merge them again.
    """
    width = len(layers)
    stages = assigned["stage"].astype(str).to_numpy()[::width]
    keys = assigned["cluster_key"].to_numpy().reshape(-1, width)
    orders = {}
    for stage in np.unique(stages):
        places = [n for n, layer in enumerate(layers) if (str(stage), layer) in structured]
        shares = dict.fromkeys(places, JOIN_SHARE)
        stay = [n for n in places if layers[n] in former.get(str(stage), ())]
        if str(stage) in former:
            shares = {
                n: STAY_SHARE if n in stay else LATER_JOIN_SHARE
                for n in places
                if (str(stage), layers[n]) in structured_before
            }
        orders[str(stage)] = pattern_layers(keys[stages == stage], shares, floor, stay)
    return orders


def published(
    assigned: pd.DataFrame,
    layers: Sequence[str],
    orders: Mapping[str, Sequence[int]],
    possible: Mapping[str, int],
    floor: int,
    standing: Collection[str],
) -> dict[str, Cell]:
    """Publish the cells of every stage by `publish_cells`; `possible` counts its patterns."""
    _, codes, patterns = patterns_of(assigned, layers, orders)
    sizes = np.bincount(codes, minlength=len(patterns))
    cells: dict[str, Cell] = {}
    for stage, order in orders.items():
        counts: dict[Pattern, int] = {
            pattern: int(size)
            for (where, pattern), size in zip(patterns, sizes, strict=True)
            if where == stage
        }
        found = publish_cells(stage, counts, possible[stage], floor, order, layers, standing)
        cells |= {cell.key: cell for cell in found}
    return cells


def pattern_layers(
    keys: np.ndarray, shares: Mapping[int, float], floor: int, standing: Collection[int] = ()
) -> tuple[int, ...]:
    """Choose the layers that make the pattern of a stage, and the order in which they are dropped.

    Layers with structure join in the order of config, which is that of their worth to the business,
    each while most customers stay in cells that hold the floor: seven layers of three clusters
    would be 2,187 cells. Those that stand come first: at a refit no layer takes another's place.
    The silhouette is no measure of worth here: a layer of few categories, such as gender, has a
    high one, and would outlive value and behaviour.

    Parameters
    ----------
    keys : ndarray (customer, layer)
        Cluster keys of the customers of the stage.
    shares : mapping of position to share
        The layers with structure, and the share of customers in cells that hold the floor from
        which each may join.
    floor : int
    standing : collection of int
        The layers that were in the pattern at the fit before.

    Returns
    -------
    tuple of int
        Positions of the layers, the last of config first.
    """
    codes = np.zeros(len(keys), dtype=np.int64)
    chosen: list[int] = []
    for position in sorted(shares, key=lambda place: (place not in standing, place)):
        _, own = np.unique(keys[:, position].astype(str), return_inverse=True)
        _, joined = np.unique(codes * (own.max(initial=0) + 1) + own, return_inverse=True)
        sizes = np.bincount(joined)
        held = sizes[sizes >= floor].sum() / max(len(keys), 1)
        if held >= shares[position]:
            codes = joined
            chosen.append(position)
    return tuple(sorted(chosen, reverse=True))


def publish_cells(
    stage: str,
    counts: Mapping[Pattern, int],
    patterns_possible: int,
    floor: int,
    drop_order: Sequence[int],
    layers: Sequence[str],
    standing: Collection[str] = (),
) -> list[Cell]:
    """Decide which cells of a stage are published, from its full patterns and their sizes.

    Customers of a cell under the floor fall back together with those of other small cells that
    agree in the layers left. A cell that stands (`pattern_text` is in `standing`) lives on while it
    holds 60 % of the floor: without this, cells at the floor came and went with the sample. The
    whole stage always stands, whatever its size, and so does a cell that is the whole stage.
    """
    stage_count = sum(counts.values())
    waiting = dict(counts)
    cells: list[Cell] = []
    for level in range(len(drop_order) + 1):
        reduced: dict[Pattern, int] = {}
        origin: dict[Pattern, list[Pattern]] = {}
        for pattern, count in waiting.items():
            target = list(reductions(pattern, drop_order))[level]
            reduced[target] = reduced.get(target, 0) + count
            origin.setdefault(target, []).append(pattern)
        for target, count in reduced.items():
            key = microsegment_key(stage, target)
            least = floor * KEEP_SHARE if pattern_text(layers, target) in standing else floor
            if count >= least or count == stage_count or level == len(drop_order):
                cells.append(Cell(key, stage, target, count))
                for pattern in origin[target]:
                    del waiting[pattern]
    full = sum(cell.fallback_level == 0 for cell in cells)
    if full < patterns_possible and all(any(cell.pattern) for cell in cells):
        # Assignment may meet a pattern the fit never saw; it needs somewhere to go.
        nothing: Pattern = tuple(
            None if position in drop_order else OUT for position in range(len(cells[0].pattern))
        )
        cells.append(Cell(microsegment_key(stage, nothing), stage, nothing, 0))
    return cells
