"""Separating the few persons in whom records contradict each other, link by link.

Add here the order and the conditions under which links of such a person are followed.
The many persons without a contradiction never come here: they are found in one pass.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import numpy as np
import pandas as pd

from models_py.record_linkage.contradictions import Portrait, as_portraits, contradict
from models_py.record_linkage.links import links_frame

# More named records than this on one identifier are compared with the first only.
PAIRS_UP_TO = 40


def separate(
    person: np.ndarray,
    in_doubt: np.ndarray,
    members: pd.DataFrame,
    considered: pd.DataFrame,
    portraits: pd.DataFrame,
    never: pd.DataFrame,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Follow the links of doubtful persons again, strongest first, refusing contradictions.

    Parameters
    ----------
    person : ndarray (record,)
        Numbers of persons so far.
    in_doubt : ndarray (record,)
        True for the records to separate.
    members : DataFrame
        record, identifier, identifier_type, rank.
    considered : DataFrame
        Links by decision and by probability.
    portraits : DataFrame
        By position of the record.
    never : DataFrame
        left, right that are never one person.

    Returns
    -------
    links : DataFrame
        Every link tried, with is_linked and refused_because.
    person : ndarray (record,)
        Numbers of persons, new ones for the records in doubt.
    """
    shown = portraits[in_doubt[portraits.index]]
    faces = dict(zip(shown.index.tolist(), as_portraits(shown), strict=True))
    forbidden = _forbidden(never)
    links = pd.concat(
        [
            considered[in_doubt[considered["left"].to_numpy()]],
            _identifier_links(members[in_doubt[members["record"].to_numpy()]], faces, forbidden),
        ]
    )
    order = links.assign(is_decision=links["link_type"] != "always").sort_values(
        ["is_decision", "rank", "match_probability", "left", "right", "match_rule"],
        ascending=[True, True, False, True, True, True],
        ignore_index=True,
    )
    groups = _Groups(faces, forbidden)
    reasons = [
        groups.join(left, right, is_decided=kind == "always")
        for left, right, kind in zip(order["left"], order["right"], order["link_type"], strict=True)
    ]
    order["refused_because"] = pd.Series(reasons, dtype=object)
    order["is_linked"] = order["refused_because"].isna()
    person = person.copy()
    doubted = np.flatnonzero(in_doubt)
    # The number of a record that stands for its group, beyond all numbers in use.
    person[doubted] = person.max() + 1 + np.array([groups.root(r) for r in doubted.tolist()])
    return order.drop(columns="is_decision"), person


def _forbidden(never: pd.DataFrame) -> dict[int, set[int]]:
    forbidden: dict[int, set[int]] = defaultdict(set)
    for left, right in zip(never["left"], never["right"], strict=True):
        forbidden[int(left)].add(int(right))
        forbidden[int(right)].add(int(left))
    return forbidden


def _identifier_links(
    members: pd.DataFrame, faces: dict[int, Portrait], forbidden: dict[int, set[int]]
) -> pd.DataFrame:
    rows: list[tuple[int, int, str, int]] = []
    for _, group in members.groupby("identifier", sort=True):
        kind, rank = str(group["identifier_type"].iloc[0]), int(group["rank"].iloc[0])
        records = sorted(group["record"].tolist())
        named = [r for r in records if r in faces or r in forbidden]
        faceless = [r for r in records if r not in faces and r not in forbidden]
        pairs = (
            list(combinations(named, 2))
            if len(named) <= PAIRS_UP_TO
            else [(named[0], other) for other in named[1:]]
        )
        rows += [(a, b, kind, rank) for a, b in pairs]
        is_disputed = any(
            b in forbidden.get(a, ())
            or (a in faces and b in faces and contradict(faces[a], faces[b]))
            for a, b in pairs
        )
        centre = named[0] if named and not is_disputed else (faceless or [-1])[0]
        rows += [(centre, r, kind, rank) for r in faceless if r != centre]
    left, right, kinds, ranks = map(np.array, zip(*rows, strict=True)) if rows else [np.array([])] * 4
    return links_frame(left, right, "exact", kinds.astype(object), ranks)


class _Groups:
    """Union-find that knows the portraits of each group and refuses what contradicts them."""

    def __init__(self, faces: dict[int, Portrait], forbidden: dict[int, set[int]]) -> None:
        self.parent: dict[int, int] = {}
        self.faces = {record: {face} for record, face in faces.items()}
        self.members: dict[int, set[int]] = {}
        self.forbidden = forbidden

    def root(self, record: int) -> int:
        at = record
        while self.parent.get(at, at) != at:
            at = self.parent[at]
        while self.parent.get(record, record) != at:
            self.parent[record], record = at, self.parent[record]
        return at

    def join(self, one: int, other: int, is_decided: bool) -> str | None:
        """Join two groups and return None, or why they stay apart."""
        first, second = sorted((self.root(one), self.root(other)))
        if first == second:
            return None
        ours, theirs = (self.members.get(r, {r}) for r in (first, second))
        if any(self.forbidden.get(record, set()) & theirs for record in ours):
            return "decided_never"
        mine, yours = self.faces.get(first, set()), self.faces.get(second, set())
        if not is_decided and any(contradict(a, b) for a in mine for b in yours):
            return "contradiction"
        self.parent[second] = first
        self.members[first] = ours | theirs
        self.faces[first] = mine | yours
        return None
