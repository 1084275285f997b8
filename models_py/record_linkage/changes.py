"""The log of what happened to persons between two runs, each event with the link behind it.

Add here an event that people must be able to look up.
Ids are given and superseded in ``persons``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

EVENT_COLUMNS = ["event_type", "customer_id", "other_customer_id", "link"]


def person_events(
    before: np.ndarray, now: np.ndarray, known: pd.DataFrame, was: pd.DataFrame, links: pd.DataFrame
) -> pd.DataFrame:
    """List merges, splits, moves of records, new and retired persons, one row each.

    Parameters
    ----------
    before, now : ndarray (record,)
        customer_id of each record in the last run (None for new records) and in this one.
    known : DataFrame
        old_customer_id, customer_id of persons superseded now.
    was : DataFrame
        customer_id of the persons of the last run, also of those whose records are gone.
    links : DataFrame
        Of ``resolve``: left, right, is_linked.

    Returns
    -------
    DataFrame
        event_type, customer_id (the person that stays, or the only one), other_customer_id (the one
        superseded by a merge, born of a split, or left by records that moved to another living
        person), link (row of `links` that caused it, -1 when that link is no longer there);
        ordered by type and ids.
    """
    old, new = set(was["customer_id"]), set(now)
    successor = dict(zip(known["old_customer_id"], known["customer_id"], strict=True))
    merged = [("merged", successor[gone], gone) for gone in sorted(old - new) if gone in successor]
    parent = _parents(before, now, new - old)
    split = [("split", parent[born], born) for born in sorted(parent)]
    moved = _moves(before, now, old & new)
    fresh = [("new", born, None) for born in sorted(new - old - set(parent))]
    retired = [("retired", gone, None) for gone in sorted(old - new - set(successor))]
    causes = _causes(merged, split, before, now, links)
    rows = [(*event, causes.get(event[2] or "", -1)) for event in (*merged, *split)]
    rows += [(*event, _cause_of_move(event, before, now, links)) for event in moved]
    rows += [(*event, -1) for event in (*fresh, *retired)]
    return pd.DataFrame(rows, columns=EVENT_COLUMNS)


def _parents(before: np.ndarray, now: np.ndarray, born: set[str]) -> dict[str, str]:
    """Return the person each new one was part of: that of its oldest record that had one."""
    parents: dict[str, str] = {}
    moved = np.flatnonzero(pd.notna(before) & np.isin(now, list(born)))
    for record in moved.tolist():
        parents.setdefault(now[record], before[record])
    return parents


def _moves(before: np.ndarray, now: np.ndarray, living: set[str]) -> list[tuple[str, str, str]]:
    """Return moved, the person arrived at and the one left, both known before and still there."""
    places = np.flatnonzero(pd.notna(before) & (before != now))
    ways = {(now[place], before[place]) for place in places.tolist()}
    return [("moved", to, off) for to, off in sorted(ways) if to in living and off in living]


def _cause_of_move(
    event: tuple[str, str, str], before: np.ndarray, now: np.ndarray, links: pd.DataFrame
) -> int:
    """Return the link between a record that moved and one that was there already."""
    _, to, off = event
    left, right = links["left"].to_numpy(), links["right"].to_numpy()
    linked = links["is_linked"].to_numpy(dtype=bool) & (now[left] == to) & (now[right] == to)
    ends = ((before[left] == off) & (before[right] == to)) | (
        (before[left] == to) & (before[right] == off)
    )
    found = np.flatnonzero(linked & ends)
    return int(found[0]) if len(found) else -1


def _causes(
    merged: list[tuple[str, str, str]],
    split: list[tuple[str, str, str]],
    before: np.ndarray,
    now: np.ndarray,
    links: pd.DataFrame,
) -> dict[str, int]:
    """Return the link that brought a merged person in, or the refused one that parted a new one."""
    left, right = links["left"].to_numpy(), links["right"].to_numpy()
    linked = links["is_linked"].to_numpy(dtype=bool)
    causes: dict[str, int] = {}
    gone, born = {event[2] for event in merged}, {event[2] for event in split}
    # A bridge: one end was the person, the other was not.
    bridges = np.flatnonzero(linked & (before[left] != before[right]))
    for row in bridges.tolist():
        for end in (before[left[row]], before[right[row]]):
            if end in gone:
                causes.setdefault(end, row)
    cuts = np.flatnonzero(~linked & (now[left] != now[right]))
    for row in cuts.tolist():
        for end in (now[left[row]], now[right[row]]):
            if end in born:
                causes.setdefault(end, row)
    return causes
