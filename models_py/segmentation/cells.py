"""Micro-segments as cells: the pattern of clusters over the layers of a stage, with a floor.

Add here how patterns become keys, and where a customer of a small cell falls back to.
Which layers make the pattern and which cells are published is decided in `patterns`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

JOINT = "microsegment"
"""Stands for the joint pattern where tables name a layer."""
OUT = ""
"""Part of a pattern where the layer is not used in the stage."""

Pattern = tuple[str | None, ...]
"""Cluster key per layer, in the order of the layers; None where dropped, `OUT` where not used."""


@dataclass(frozen=True)
class Cell:
    """A micro-segment fixed at a fit: its pattern, size and what sets it apart.

    `key` is the one it was born with, as a rule that of its pattern then, and kept at refits while
    its customers are the same, whatever the pattern is now (`succession.carry_keys`).
    `medians` are in the feature's own unit; `gaps` are the mean of the scaled feature, that is the
    distance to the stage's mean in standard deviations, and stand for categories as feature=level.
    """

    key: str
    stage: str
    pattern: Pattern
    customers_count: int
    medians: Mapping[str, float] = field(default_factory=dict)
    gaps: Mapping[str, float] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The key that its pattern would have at birth."""
        return microsegment_key(self.stage, self.pattern)

    @property
    def fallback_level(self) -> int:
        """Number of layers dropped: 0 for the full pattern."""
        return sum(part is None for part in self.pattern)

    @property
    def is_rest(self) -> bool:
        """Whether it gathers what is in no other cell of a stage that has several."""
        return self.fallback_level > 0 and all(not part for part in self.pattern)


def microsegment_key(stage: str, pattern: Pattern) -> str:
    """Join the cluster keys of a pattern: ``active-va-01-pr-02``, or ``active-all`` for none."""
    kept = [part.removeprefix(f"{stage}-") for part in pattern if part]
    return "-".join([stage, *kept]) if kept else f"{stage}-all"


def pattern_text(layers: Sequence[str], pattern: Pattern) -> str:
    """Spell a pattern: ``value=active-va-01|product=*``, * where a layer was dropped.

    Layers without structure in the stage are not spelled; ``*`` alone where there is none.
    """
    named = zip(layers, pattern, strict=True)
    spelled = [f"{layer}={part or '*'}" for layer, part in named if part != OUT]
    return "|".join(spelled) or "*"


def reductions(pattern: Pattern, drop_order: Sequence[int]) -> Iterator[Pattern]:
    """Yield the pattern, then with the least informative layer dropped, down to none left."""
    reduced = list(pattern)
    yield tuple(reduced)
    for position in drop_order:
        reduced[position] = None
        yield tuple(reduced)


def resolve(
    stage: str, pattern: Pattern, places: Collection[str], drop_order: Sequence[int]
) -> Pattern:
    """Return the published pattern a customer belongs to; the stage itself where none is."""
    last = pattern
    for reduced in reductions(pattern, drop_order):
        last = reduced
        if microsegment_key(stage, reduced) in places:
            break
    return last


def patterns_of(
    assignments: pd.DataFrame, layers: Sequence[str], drop_orders: Mapping[str, Sequence[int]]
) -> tuple[pd.DataFrame, np.ndarray, list[tuple[str, Pattern]]]:
    """Lay the layers of each customer side by side.

    Parameters
    ----------
    assignments : DataFrame
        The answer of `Microsegmentation.predict`, in any order.
    layers : sequence of str
    drop_orders : mapping of stage to positions of layers
        The layers that belong to the pattern of each stage.

    Returns
    -------
    customers : DataFrame
        customer_id and stage, ordered by customer_id.
    codes : ndarray (customer,)
    patterns : list of (stage, pattern), in the order of the codes
    """
    width = len(layers)
    if not width:
        raise ValueError("no layers: declare at least one layer with its features.")
    names = assignments["layer"].to_numpy()
    if len(names) % width or (names.reshape(-1, width) != np.array(layers, dtype=object)).any():
        place = pd.Categorical(assignments["layer"], categories=list(layers)).codes
        ordered = assignments.assign(_place=place).sort_values(["customer_id", "_place"])
        assignments = ordered[ordered["_place"] >= 0]
    customers = assignments.iloc[::width][["customer_id", "stage"]].reset_index(drop=True)
    stage_codes, stages = pd.factorize(customers["stage"], sort=True)
    key_codes, keys = pd.factorize(assignments["cluster_key"], sort=True)
    table = np.column_stack([stage_codes, key_codes.reshape(-1, width)])
    for code, stage in enumerate(stages):
        used = drop_orders.get(str(stage), ())
        unused = [position + 1 for position in range(width) if position not in used]
        table[np.ix_(stage_codes == code, unused)] = -1
    codes = np.zeros(len(table), dtype=np.int64)
    for column in table.T:
        _, codes = np.unique(codes * (len(keys) + 1) + column + 1, return_inverse=True)
    _, first = np.unique(codes, return_index=True)
    patterns: list[tuple[str, Pattern]] = [
        (str(stages[row[0]]), tuple(OUT if part < 0 else str(keys[part]) for part in row[1:]))
        for row in table[first]
    ]
    return customers, codes, patterns


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
    customers, codes, patterns = patterns_of(assignments, layers, drop_orders)
    keys = {cell.place: cell.key for cell in cells.values()}
    found: list[tuple[str, str, int]] = []
    for stage, pattern in patterns:
        target = resolve(stage, pattern, keys, drop_orders.get(stage, ()))
        level = sum(part is None for part in target)
        place = microsegment_key(stage, target)
        found.append((keys.get(place, place), pattern_text(layers, target), level))
    answer = pd.DataFrame(found, columns=["microsegment_key", "pattern", "fallback_level"])
    return pd.concat([customers, answer.take(codes).reset_index(drop=True)], axis=1)
