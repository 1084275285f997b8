"""Which micro-segment of a refit carries on the key of which old one, and the lineage of it.

Add here a reason for a key to go on or to end. Keys of clusters are matched in `alignment`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd

from models_py.segmentation.alignment import lineage_rows, match_clusters, shared_customers
from models_py.segmentation.cells import JOINT, Cell


def carry_keys(
    old: pd.DataFrame,
    new: pd.DataFrame,
    before: Mapping[str, Cell],
    after: Mapping[str, Cell],
    same_layers: Collection[str],
    retired: Mapping[str, tuple[str, str]],
    minimum_jaccard: float,
) -> dict[str, str]:
    """Give every new micro-segment the key of the old one whose customers it holds.

    Keys go by overlap (`match_clusters`): a layer that comes into a stage or leaves it changes all
    its patterns, and the customers of few. Of the others, one of an equal pattern continues as well
    if the layers of the stage are the same and they share customers or have none, and so does what
    is left beside all other cells. The rest is new: it has the key of its pattern, with a number
    behind where that key is or was another's.

    Parameters
    ----------
    old, new : DataFrame
        stage and microsegment_key of the same customers under both fits, in one order; the keys of
        `new` are places (`Cell.place`).
    before : mapping of key to Cell
        Of the former fit.
    after : mapping of place to Cell
        Of the new one.
    same_layers : collection of str
        Stages whose pattern has the same layers in both fits.
    retired : mapping of key to (stage, place)
        Keys of earlier fits that were not those of their patterns.
    minimum_jaccard : float

    Returns
    -------
    dict of place to key
    """
    keys: dict[str, str] = {}
    for stage in sorted({cell.stage for cell in after.values()}):
        here = (old["stage"] == stage).to_numpy()
        old_keys = sorted(key for key, cell in before.items() if cell.stage == stage)
        places = sorted(place for place, cell in after.items() if cell.stage == stage)
        shared = shared_customers(
            old.loc[here, "microsegment_key"], new.loc[here, "microsegment_key"], old_keys, places
        )
        matches = match_clusters(shared, minimum_jaccard)
        at = {before[key].place: number for number, key in enumerate(old_keys)}
        for number, place in enumerate(places):
            former = at.get(place)
            if number in matches or former is None or former in matches.values():
                continue
            is_empty = not (shared[former].any() or shared[:, number].any())
            was_rest, is_rest = before[old_keys[former]].is_rest, after[place].is_rest
            is_alike = stage in same_layers and (shared[former, number] > 0 or is_empty)
            if was_rest == is_rest and (is_rest or is_alike):
                matches[number] = former
        keys |= {places[number]: old_keys[former] for number, former in matches.items()}
        for place in places:
            if place not in keys:
                once = {key for key, (_, where) in retired.items() if where != place}
                keys[place] = _unused(place, {*before, *keys.values()} | once)
    return keys


def ended_keys(
    before: Mapping[str, Cell], after: Mapping[str, Cell], retired: Mapping[str, tuple[str, str]]
) -> dict[str, tuple[str, str]]:
    """Keys that are not those of their patterns and no longer given, as (stage, place) by key."""
    carried = {key: (cell.stage, cell.place) for key, cell in before.items() if key != cell.place}
    return {key: where for key, where in {**retired, **carried}.items() if key not in after}


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
        # A stage in which nobody was at a fit has a key of its own, and no cell.
        old_keys = sorted({k for k, c in old_cells.items() if c.stage == stage} | set(was))
        new_keys = sorted({k for k, c in new_cells.items() if c.stage == stage} | set(now))
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
