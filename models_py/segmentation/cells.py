"""Micro-segments as cells: the pattern of clusters over the layers of a stage, with a floor.

Add here how patterns become keys, which cells are published, and where a small one falls back to.
Clusters of a single layer live in `layers`, and what a cell is called in `naming`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

Pattern = tuple[str | None, ...]
"""Cluster key per layer, in the order of the layers; None where the layer was dropped."""


@dataclass(frozen=True)
class Cell:
    """A micro-segment fixed at a fit: its pattern, size and what sets it apart.

    `medians` are in the feature's own unit; `gaps` are the mean of the scaled feature, that is the
    distance to the stage's mean in standard deviations.
    """

    key: str
    stage: str
    pattern: Pattern
    customers_count: int
    medians: Mapping[str, float] = field(default_factory=dict)
    gaps: Mapping[str, float] = field(default_factory=dict)

    @property
    def fallback_level(self) -> int:
        """Number of layers dropped: 0 for the full pattern."""
        return sum(part is None for part in self.pattern)


def microsegment_key(stage: str, pattern: Pattern) -> str:
    """Join the cluster keys of a pattern: ``active-vb-01-pr-02``, or ``active-all`` for none."""
    kept = [part.removeprefix(f"{stage}-") for part in pattern if part is not None]
    return "-".join([stage, *kept]) if kept else f"{stage}-all"


def pattern_text(layers: Sequence[str], pattern: Pattern) -> str:
    """Spell a pattern: ``value_behaviour=active-vb-01|product=*``, * where a layer was dropped."""
    return "|".join(f"{layer}={part or '*'}" for layer, part in zip(layers, pattern, strict=True))


def reductions(pattern: Pattern, drop_order: Sequence[int]) -> Iterator[Pattern]:
    """Yield the pattern, then with the least informative layer dropped, down to none left."""
    reduced = list(pattern)
    yield tuple(reduced)
    for position in drop_order:
        reduced[position] = None
        yield tuple(reduced)


def publish_cells(
    stage: str,
    counts: Mapping[Pattern, int],
    patterns_possible: int,
    floor: int,
    drop_order: Sequence[int],
) -> list[Cell]:
    """Decide which cells of a stage are published, from its full patterns and their sizes.

    Customers of a cell under the floor fall back together with those of other small cells that
    agree in the layers left. The whole stage always stands, whatever its size, and so does a cell
    that is the whole stage.
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
            if count >= floor or count == stage_count or level == len(drop_order):
                cells.append(Cell(microsegment_key(stage, target), stage, target, count))
                for pattern in origin[target]:
                    del waiting[pattern]
    nothing: Pattern = (None,) * len(drop_order)
    full = sum(cell.fallback_level == 0 for cell in cells)
    if full < patterns_possible and all(cell.pattern != nothing for cell in cells):
        # Assignment may meet a pattern the fit never saw; it needs somewhere to go.
        cells.append(Cell(microsegment_key(stage, nothing), stage, nothing, 0))
    return cells


def resolve(
    stage: str, pattern: Pattern, cells: Mapping[str, Cell], drop_order: Sequence[int]
) -> Pattern:
    """Return the published pattern a customer belongs to; the stage itself where none is."""
    for reduced in reductions(pattern, drop_order):
        if microsegment_key(stage, reduced) in cells:
            return reduced
    return (None,) * len(pattern)


def patterns_of(assignments: pd.DataFrame, layers: Sequence[str]) -> pd.DataFrame:
    """Lay the layers side by side: customer_id, stage and one column of cluster keys per layer."""
    wide: pd.DataFrame | None = None
    for layer in layers:
        part = assignments.loc[assignments["layer"] == layer].set_index("customer_id")
        wide = part[["stage"]] if wide is None else wide
        wide = wide.assign(**{layer: part["cluster_key"]})
    if wide is None:
        raise ValueError("no layers: declare at least one layer with its features.")
    return wide.sort_index().reset_index()


def microsegments_of(
    assignments: pd.DataFrame,
    layers: Sequence[str],
    cells: Mapping[str, Cell],
    drop_orders: Mapping[str, Sequence[int]],
) -> pd.DataFrame:
    """Turn one row per customer and layer into one row per customer.

    Returns
    -------
    DataFrame
        customer_id, stage, microsegment_key, pattern, fallback_level; ordered by customer_id.
    """
    wide = patterns_of(assignments, layers)
    groups = wide.groupby(["stage", *layers], sort=True)
    found: list[tuple[str, str, int]] = []
    for names, _ in groups:
        stage, *parts = (str(name) for name in names)
        order = drop_orders.get(stage, range(len(layers)))
        target = resolve(stage, tuple(parts), cells, order)
        level = sum(part is None for part in target)
        found.append((microsegment_key(stage, target), pattern_text(layers, target), level))
    answer = pd.DataFrame(found, columns=["microsegment_key", "pattern", "fallback_level"])
    answer = answer.take(groups.ngroup().to_numpy()).reset_index(drop=True)
    return pd.concat([wide[["customer_id", "stage"]], answer], axis=1)
