"""Which micro-segment of a refit carries on the key of which old one, and the lineage of it.

Add here a reason for a key to go on or to end. Keys of clusters are matched in `alignment`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from models_py.segmentation.alignment import lineage_rows, match_clusters, shared_customers
from models_py.segmentation.cells import JOINT, OUT, Cell, microsegment_key, pattern_text

REST = "rest"
Ended = Mapping[str, tuple[str, str]]
"""Stage and identity of the cell by key, for the keys of former fits that nobody has."""


def identity(cell: Cell, layers: Sequence[str]) -> str:
    """What makes two cells of two fits the same by definition: their groups in the same layers.

    Unlike the place it tells the whole of a group from what is left of it beside its other cells.
    All rests of a stage are one.
    """
    return REST if cell.is_rest else pattern_text(layers, cell.pattern)


def with_whole_stages(
    cells: Mapping[str, Cell], assigned: pd.DataFrame, layers: Sequence[str]
) -> dict[str, Cell]:
    """Add the stages in which nobody was at the fit; their customers are a segment as well."""
    known = {cell.stage for cell in cells.values()}
    found = dict(cells)
    for stage, count in assigned["stage"].value_counts().items():
        if stage not in known:
            pattern = (OUT,) * len(layers)
            cell = Cell(microsegment_key(str(stage), pattern), str(stage), pattern, int(count))
            found[cell.key] = cell
    return found


def carry_keys(
    old: pd.DataFrame,
    new: pd.DataFrame,
    before: Mapping[str, Cell],
    after: Mapping[str, Cell],
    layers: tuple[Sequence[str], Sequence[str]],
    ended: Ended,
    minimum_jaccard: float,
) -> dict[str, str]:
    """Give every new micro-segment the key of the old one whose customers it holds.

    Keys go by overlap (`match_clusters`): a layer that comes into a stage or leaves it changes all
    its patterns, and the customers of few. Of the others, one of equal `identity` goes on as well
    if they share customers or have none. The rest of a stage goes on as the rest, and never as
    anything else. What is new gets back the ended key of its identity, else the key of its pattern,
    with a number behind where that key is or was another's.

    Parameters
    ----------
    old, new : DataFrame
        stage and microsegment_key of the same customers under both fits, in one order; the keys of
        `new` are places (`Cell.place`).
    before : mapping of key to Cell
        Of the former fit, with its whole stages.
    after : mapping of place to Cell
        Of the new one.
    layers : pair of sequences of str
        Of both fits.
    ended : mapping of key to (stage, identity)
    minimum_jaccard : float

    Returns
    -------
    dict of place to key
    """
    keys: dict[str, str] = {}
    back = {what: key for key, what in sorted(ended.items(), reverse=True)}
    for stage in sorted({cell.stage for cell in after.values()}):
        here = (old["stage"] == stage).to_numpy()
        was, now = old.loc[here, "microsegment_key"], new.loc[here, "microsegment_key"]
        old_keys = sorted(key for key, cell in before.items() if cell.stage == stage)
        places = sorted(place for place, cell in after.items() if cell.stage == stage)
        shared = shared_customers(was, now, old_keys, places)
        apart = shared.copy()
        apart[[before[key].is_rest for key in old_keys]] = 0
        apart[:, [after[place].is_rest for place in places]] = 0
        matches = match_clusters(apart, minimum_jaccard) if apart.any() else {}
        alike = {identity(before[key], layers[0]): number for number, key in enumerate(old_keys)}
        for number, place in enumerate(places):
            same = identity(after[place], layers[1])
            former = alike.get(same)
            if number in matches or former is None or former in matches.values():
                continue
            is_empty = not (shared[former].any() or shared[:, number].any())
            if same == REST or shared[former, number] or is_empty:
                matches[number] = former
        keys |= {places[number]: old_keys[former] for number, former in matches.items()}
        for place in places:
            if place not in keys:
                taken = {*before, *keys.values()}
                again = back.get((stage, identity(after[place], layers[1])))
                is_free = again is not None and again not in taken
                keys[place] = str(again) if is_free else _unused(place, taken | set(ended))
    return keys


def ended_keys(
    before: Mapping[str, Cell], after: Mapping[str, Cell], layers: Sequence[str], ended: Ended
) -> dict[str, tuple[str, str]]:
    """The keys that nobody has any more; `layers` are those of `before`."""
    known = {key: (cell.stage, identity(cell, layers)) for key, cell in before.items()}
    return {key: what for key, what in {**ended, **known}.items() if key not in after}


def joint_lineage(
    old: pd.DataFrame,
    new: pd.DataFrame,
    old_cells: Mapping[str, Cell],
    new_cells: Mapping[str, Cell],
) -> pd.DataFrame:
    """Lineage of micro-segments: equal keys are continued, and the rest goes by overlap."""
    pieces = []
    stages = {cell.stage for cell in old_cells.values()} | {
        cell.stage for cell in new_cells.values()
    }
    for stage in sorted(stages):
        here = (old["stage"] == stage).to_numpy()
        was, now = old.loc[here, "microsegment_key"], new.loc[here, "microsegment_key"]
        old_keys = sorted(key for key, cell in old_cells.items() if cell.stage == stage)
        new_keys = sorted(key for key, cell in new_cells.items() if cell.stage == stage)
        shared = shared_customers(was, now, old_keys, new_keys)
        matches = {
            new_keys.index(key): number for number, key in enumerate(old_keys) if key in new_keys
        }
        pieces.append(lineage_rows(stage, JOINT, shared, old_keys, new_keys, matches))
    return pd.concat(pieces, ignore_index=True)


def _unused(key: str, taken: Collection[str]) -> str:
    number, found = 1, key
    while found in taken:
        number += 1
        found = f"{key}.{number}"
    return found
