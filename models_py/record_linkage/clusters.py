"""Persons out of links: strongest links first, and none that puts two people into one person.

Add here what decides whether linked records become one person.
How probable a link is stays out; so do the names of persons, which a ledger keeps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from models_py.frames import require_columns
from models_py.record_linkage.comparisons import OTHER_BIRTH, OTHER_NAMES, SAME_HOUSEHOLD
from models_py.record_linkage.engine import connection
from models_py.record_linkage.graph import connected
from models_py.record_linkage.keys import RECORD_KEY
from models_py.record_linkage.prepare import prepare_records

LINK_TYPES = ("always", "exact", "probabilistic", "never")
SIDES = [f"{column}_{side}" for side in "lr" for column in RECORD_KEY]
# A person is a group in which half of the pairs of records are linked; a group that is not is built
# again, two parts of it joining only when this share of the pairs between them is linked. Chains of
# single links made persons of 40 historical namesakes (precision by pairs 0.66 instead of 0.98).
MIN_DENSITY = 0.5
SUPPORT = (0.1, 0.2, 0.4)
FOLLOWED, CONTRADICTION, LOOSE = 0, 1, 2
PORTRAIT = [
    *("given_name", "family_name", "full_name", "birth_date", "other_id"),
    *("street", "house_number", "postal_code", "city", "phone", "email"),
]
# Follows from the portrait, and contradictions need it.
DERIVED = [
    *("given_nicknames", "given_is_usual", "birth_month_day"),
    *("given_name_padded", "family_name_padded", "full_name_padded"),
]


def cluster_pairs(
    records: pd.DataFrame, links: pd.DataFrame, *, trust_birth_dates: bool = True
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Group records into persons along links, strongest first.

    A link is refused when it would put two records into one person that contradict each other:
    given names that are no spelling, nickname, initial or part of each other without a birth date
    or number in common, or birth dates that are years apart. So a household with one address, one
    telephone and even one e-mail stays several persons, and one false link does not join two
    families: the chain breaks where its ends contradict each other.

    Parameters
    ----------
    records : DataFrame
        Every record to group: source_system, source_record_id and the columns of
        identity.normalised_records that are known (contradictions need names and birth dates).
    links : DataFrame
        source_system_l, source_record_id_l, source_system_r, source_record_id_r, link_type
        (always: joined whatever the records say; exact; probabilistic; never: kept apart),
        match_weight (order among probabilistic links; may be NaN for others). Further columns are
        kept. Probabilistic links below the threshold are left out by the caller.
    trust_birth_dates : bool
        Whether birth dates that are years apart are a contradiction:
        `RecordLinkage.trust_birth_dates_`.

    Returns
    -------
    persons : DataFrame
        One row per record, by key: source_system, source_record_id, person (0, 1, ... in the order
        of each person's first record).
    links : DataFrame
        The links, strongest first, with is_refused (never links are not refused: they are kept) and
        is_loose (refused for too few links between the two groups, not for a contradiction).

    Raises
    ------
    ValueError
        If a link names a record that is not in `records`, or an unknown link_type.
    """
    prepared = prepare_records(records)
    edges = _ordered(links, prepared)
    joins = edges["link_type"].to_numpy() != "never"
    left, right = edges["record_l"].to_numpy(), edges["record_r"].to_numpy()
    component = connected(left[joins], right[joins], len(prepared))
    portrait, conflicts = _conflicts(prepared, component, edges[~joins], trust_birth_dates)
    # A component without contradiction whose records are mostly linked is a person as it is; the
    # others are walked link by link, and what is still loose once more with more support asked.
    kind = edges["link_type"].to_numpy()
    speaks = np.array(prepared[PORTRAIT].notna().any(axis=1))
    for ends_of in (left, right):  # whoever was compared said something
        speaks[ends_of[kind == "probabilistic"]] = True
    is_always, is_certain = kind == "always", kind != "probabilistic"
    refused = np.full(len(edges), FOLLOWED)
    for support in SUPPORT:
        keep = np.flatnonzero(joins & (refused == FOLLOWED))
        label = connected(left[keep], right[keep], len(prepared))
        in_doubt = _loose(left[keep], right[keep], label, speaks)
        if support == SUPPORT[0]:
            in_doubt[label[np.isin(portrait, conflicts)]] = True
        walk = keep[in_doubt[label[left[keep]]]]
        ends = np.stack([left[walk], right[walk], is_certain[walk], is_always[walk]], axis=1)
        refused[walk] = list(_refusals(ends, support, portrait, conflicts, speaks))
    keep = np.flatnonzero(joins & (refused == FOLLOWED))
    label = connected(left[keep], right[keep], len(prepared))
    _, person = np.unique(label, return_inverse=True)
    first = pd.factorize(person)[0]  # numbered in the order of their first record
    persons = prepared[RECORD_KEY].assign(person=first)
    answer = edges.drop(columns=["record_l", "record_r"]).assign(
        is_refused=refused != FOLLOWED, is_loose=refused == LOOSE
    )
    return persons, answer


def _ordered(links: pd.DataFrame, prepared: pd.DataFrame) -> pd.DataFrame:
    """Links in the order in which they are followed, with positions of their records."""
    require_columns(links, [*SIDES, "link_type", "match_weight"], "identity.record_links")
    unknown = sorted(set(links["link_type"]) - set(LINK_TYPES))
    if unknown:
        raise ValueError(
            f"identity.record_links has link_type {unknown}: use one of {list(LINK_TYPES)}."
        )
    edges = links.reset_index(drop=True)
    index = pd.MultiIndex.from_frame(prepared[RECORD_KEY])
    for side in "lr":
        keys = edges[[f"{column}_{side}" for column in RECORD_KEY]].astype("str")
        edges[f"record_{side}"] = index.get_indexer(pd.MultiIndex.from_frame(keys))
    strangers = int(((edges["record_l"] < 0) | (edges["record_r"] < 0)).sum())
    if strangers:
        raise ValueError(
            f"identity.record_links has {strangers} rows whose record is not among the "
            f"{len(prepared)} records: link and cluster the same records."
        )
    rank = edges["link_type"].map({name: number for number, name in enumerate(LINK_TYPES)})
    weight = -edges["match_weight"].astype("float64").round(9)
    low, high = (
        edges[["record_l", "record_r"]].min(axis=1),
        edges[["record_l", "record_r"]].max(axis=1),
    )
    order = np.lexsort([high, low, weight.fillna(0.0), rank])
    return edges.iloc[order].reset_index(drop=True)


def _loose(
    left: np.ndarray, right: np.ndarray, component: np.ndarray, speaks: np.ndarray
) -> np.ndarray:
    """Components in which less than `MIN_DENSITY` of the pairs of records that speak are linked.

    Records that say nothing (guest orders) cannot be compared: ten of them on one customer would
    make the link to the customer's second record look like one of 66.
    """
    sizes = np.bincount(component[speaks], minlength=component.max(initial=-1) + 1)
    both = speaks[left] & speaks[right]
    pairs = np.unique(np.sort(np.stack([left[both], right[both]]), axis=0), axis=1)[0]
    linked = np.bincount(component[pairs], minlength=len(sizes))
    loose: np.ndarray = linked < MIN_DENSITY * sizes * (sizes - 1) / 2
    return loose


def _conflicts(
    prepared: pd.DataFrame, component: np.ndarray, never: pd.DataFrame, trust_birth_dates: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Portraits (what records say, once per component) and pairs of them that contradict.

    Returns
    -------
    portrait : ndarray (records,)
    conflicts : ndarray (pairs, 2) of portraits
    """
    apart = np.unique(never[["record_l", "record_r"]].to_numpy())
    alone = np.full(len(prepared), -1)
    alone[apart] = apart  # a record that an override keeps apart is a portrait of its own
    said = prepared[PORTRAIT].assign(component=component, alone=alone)
    portrait = said.groupby([*said.columns], sort=False, dropna=False).ngroup().to_numpy()
    _, first = np.unique(portrait, return_index=True)
    faces = prepared.iloc[first][[*PORTRAIT, *DERIVED]].assign(
        portrait=np.arange(len(first)), component=component[first]
    )
    crowd = faces.groupby("component")["portrait"].transform("size") > 1
    contradiction = f"{OTHER_NAMES} or {OTHER_BIRTH}" if trust_birth_dates else OTHER_NAMES
    with connection() as con:
        con.register("faces_frame", faces[crowd])
        con.execute("create table faces as select * from faces_frame")
        columns = ", ".join(
            f"l.{column} as {column}_l, r.{column} as {column}_r"
            for column in [*PORTRAIT, *DERIVED, "portrait"]
        )
        found = con.execute(
            f"select portrait_l, portrait_r from (select {columns} from faces as l "
            "inner join faces as r on l.component = r.component and l.portrait < r.portrait) "
            f"where ({SAME_HOUSEHOLD}) and ({contradiction}) order by all"
        ).df()
    told = portrait[never[["record_l", "record_r"]].to_numpy().reshape(-1, 2)]
    return portrait, np.concatenate([found.to_numpy(dtype=np.int64).reshape(-1, 2), told])


def _refusals(
    ends: np.ndarray,
    least_support: float,
    portrait: np.ndarray,
    conflicts: np.ndarray,
    speaks: np.ndarray,
) -> Iterator[int]:
    """Say of each link in turn whether and why it is refused, given those followed before."""
    enemies, friends = _both_ways(conflicts), _both_ways(ends[:, :2])
    parent: dict[int, int] = {}
    members: dict[int, set[int]] = {}
    faces: dict[int, set[int]] = {}
    hated: dict[int, set[int]] = {}

    def root(record: int) -> int:
        while (above := parent.setdefault(record, record)) != record:
            parent[record] = parent[above]
            record = above
        return record

    for one, other, certain, forced in ends.tolist():
        a, b = root(one), root(other)
        if a == b:
            yield FOLLOWED
            continue
        for record in (a, b):
            if record not in faces:
                face = int(portrait[record])
                members[record] = {record} if speaks[record] else set()
                faces[record] = {face}
                hated[record] = set(enemies.get(face, ()))
        if len(members[a]) < len(members[b]):
            a, b = b, a
        if not forced:
            if not faces[b].isdisjoint(hated[a]):
                yield CONTRADICTION
                continue
            if not certain:
                support = sum(len(friends[record] & members[a]) for record in members[b])
                if support < least_support * len(members[a]) * len(members[b]):
                    yield LOOSE
                    continue
        parent[b] = a
        for kept in (members, faces, hated):
            kept[a] |= kept.pop(b)
        yield FOLLOWED


def _both_ways(pairs: np.ndarray) -> dict[int, set[int]]:
    known: dict[int, set[int]] = {}
    for one, other in pairs.tolist():
        known.setdefault(one, set()).add(other)
        known.setdefault(other, set()).add(one)
    return known
