"""From links to persons: everything that joins records, less what keeps them apart.

Add here how kinds of links are weighed against one another.
What a contradiction is stays out (``contradictions``), and so does what persons are called
(``persons``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.frames import require_columns
from models_py.record_linkage.careful import separate
from models_py.record_linkage.clusters import MIN_DENSITY
from models_py.record_linkage.exact import SINGLETON, joinable_links
from models_py.record_linkage.graph import connected
from models_py.record_linkage.keys import RECORD_KEY
from models_py.record_linkage.links import LINK_COLUMNS, links_frame
from models_py.record_linkage.overrides import override_links

# Records of one person that differ in none of these cannot contradict each other.
TELLING = ["given_name", "full_name", "birth_date", "other_id"]
RULE_ORDER = ("loyalty_id", "email", "phone_and_name", "login", "device_id")


@dataclass(frozen=True)
class Resolution:
    """Which records are one person, and every link that was considered.

    Attributes
    ----------
    person : ndarray (record,)
        Number of the person; the same for records of one person. Numbers mean nothing else.
    match_rule, match_probability : ndarray (record,)
        The strongest link that attached the record, or ``singleton`` and 1.
    links : DataFrame
        left, right (positions of records, left < right), link_type (always, exact, probabilistic,
        never), match_rule, match_probability, match_weight, is_linked, refused_because.
    """

    person: np.ndarray
    match_rule: np.ndarray
    match_probability: np.ndarray
    links: pd.DataFrame


def resolve(
    records: pd.DataFrame,
    identifiers: pd.DataFrame,
    portraits: pd.DataFrame,
    pairs: pd.DataFrame | None = None,
    overrides: pd.DataFrame | None = None,
    rule_order: Sequence[str] = RULE_ORDER,
    trust_birth_dates: bool = True,
) -> Resolution:
    """Weigh exact identifiers, probable pairs and decisions of people.

    A link is followed unless that would put two records into one person that contradict each other
    or that people decided are never one. The strongest links are followed first: decisions, then
    identifiers in `rule_order`, then pairs by falling probability. A person held together by too
    few probable links is built again with more support asked (``clusters``). An identifier that
    contradictory records state joins those that agree; records without a name that state it too
    (guest orders) stay with one another, since nobody can say whose they are.

    Parameters
    ----------
    records : DataFrame
        source_system, source_record_id, in order of age (``ordered_records``).
    identifiers : DataFrame
        As for ``ExactLinkage.link``.
    portraits : DataFrame
        source_system, source_record_id, given_name, family_name, birth_date, gender of the customer
        records; others have no portrait.
    pairs : DataFrame, optional
        As of ``RecordLinkage.predict``, with is_above_threshold.
    overrides : DataFrame, optional
        As for ``override_links``.
    trust_birth_dates : bool
        ``RecordLinkage.trust_birth_dates_`` of the model that gave the pairs.

    Raises
    ------
    ValueError
        If an identifier belongs to no record, or decisions contradict each other.
    """
    count = len(records)
    members = joinable_links(records, identifiers)
    rank = _ranks(members["identifier_type"], rule_order)
    decided = override_links(records, overrides)
    probable = _pair_links(records, pairs)
    considered = pd.concat(
        [decided[decided["link_type"] == "always"], probable[probable["is_linked"]]]
    )
    draft = pd.concat([_stars(members, rank), considered], ignore_index=True)
    person = _label(draft, count)
    never = decided[decided["link_type"] == "never"]
    told = _portraits(records, portraits)
    in_doubt = np.isin(
        person, np.union1d(_doubtful(person, told, never), _loose_persons(draft, person, told))
    )
    if in_doubt.any():
        again, separated = separate(
            records,
            in_doubt,
            members.assign(rank=rank),
            pd.concat(
                [
                    considered,
                    never[in_doubt[never["left"].to_numpy()] & in_doubt[never["right"].to_numpy()]],
                ]
            ),
            told,
            trust_birth_dates,
        )
        person = np.where(in_doubt, person.max() + 1 + separated, person)
        kept = draft[~in_doubt[draft["left"].to_numpy()]]
        draft = pd.concat([kept, again], ignore_index=True)
    links = pd.concat(
        [draft, never, probable[~probable["is_linked"]]], ignore_index=True
    ).sort_values(["left", "right", "link_type", "match_rule"], ignore_index=True)
    rule, probability = _match_rules(links[links["is_linked"].astype(bool)], count, rule_order)
    return Resolution(person, rule, probability, links[LINK_COLUMNS])


def _ranks(types: pd.Series, rule_order: Sequence[str]) -> np.ndarray:
    others = sorted(set(types) - set(rule_order))
    order = {name: place for place, name in enumerate([*rule_order, *others])}
    ranks: np.ndarray = types.map(order).to_numpy(dtype=np.int64)
    return ranks


def _stars(members: pd.DataFrame, rank: np.ndarray) -> pd.DataFrame:
    """Link every record of an identifier to its first: what that reaches is all that it joins."""
    first = members.groupby("identifier")["record"].transform("min").to_numpy()
    is_ray = first != members["record"].to_numpy()
    return links_frame(
        first[is_ray], members["record"].to_numpy()[is_ray], "exact",
        members["identifier_type"].to_numpy()[is_ray], rank[is_ray],
    )  # fmt: skip


def _pair_links(records: pd.DataFrame, pairs: pd.DataFrame | None) -> pd.DataFrame:
    if pairs is None or pairs.empty:
        nobody = np.array([], dtype=np.int64)
        return links_frame(nobody, nobody, "probabilistic", "probabilistic", 1000)
    names = [f"{column}_{side}" for side in "lr" for column in RECORD_KEY]
    require_columns(pairs, [*names, "match_probability", "is_above_threshold"], "linked pairs")
    position = pd.Series(np.arange(len(records)), pd.MultiIndex.from_frame(records[RECORD_KEY]))
    ends = [
        position.reindex(
            pd.MultiIndex.from_frame(pairs[[f"{column}_{side}" for column in RECORD_KEY]])
        ).to_numpy()
        for side in "lr"
    ]
    known = ~(np.isnan(ends[0]) | np.isnan(ends[1]))
    links = links_frame(
        ends[0][known], ends[1][known], "probabilistic", "probabilistic", 1000,
        pairs["match_probability"].to_numpy()[known], pairs["match_weight"].to_numpy()[known],
    )  # fmt: skip
    links["is_linked"] = pairs["is_above_threshold"].to_numpy()[known]
    links.loc[~links["is_linked"], "refused_because"] = "below_threshold"
    return links


def _label(links: pd.DataFrame, count: int) -> np.ndarray:
    return connected(links["left"].to_numpy(), links["right"].to_numpy(), count)


def _portraits(records: pd.DataFrame, portraits: pd.DataFrame) -> pd.DataFrame:
    """Portraits by position of the record, without those that say nothing."""
    require_columns(portraits, [*RECORD_KEY, *TELLING], "identity.normalised_records")
    position = records[RECORD_KEY].assign(record=np.arange(len(records)))
    told = portraits[portraits[TELLING].notna().any(axis=1)].merge(position, on=RECORD_KEY)
    return told.set_index("record").sort_index()


def _doubtful(person: np.ndarray, portraits: pd.DataFrame, never: pd.DataFrame) -> np.ndarray:
    """Return the persons whose records differ in what may contradict, or were told apart."""
    left, right = never["left"].to_numpy(), never["right"].to_numpy()
    apart = person[left][person[left] == person[right]]
    numbers = pd.Series(person[portraits.index], index=portraits.index)
    kinds = portraits[TELLING].groupby(numbers).nunique()
    return np.union1d(apart, kinds.index[kinds.max(axis=1) > 1].to_numpy())


def _loose_persons(draft: pd.DataFrame, person: np.ndarray, portraits: pd.DataFrame) -> np.ndarray:
    """Return the persons in whom less than half of the pairs of records that speak are linked.

    Records that an identifier joins count as linked with one another; persons without a probable
    link are never loose.
    """
    probable = draft[draft["link_type"] == "probabilistic"]
    ends = probable[["left", "right"]].to_numpy()
    certain = _label(draft[draft["link_type"] != "probabilistic"], len(person))
    speaking = np.union1d(portraits.index.to_numpy(dtype=np.int64), ends)
    crowd = np.bincount(person[speaking], minlength=person.max(initial=-1) + 1)
    whole, size = np.unique(certain[speaking], return_counts=True)
    owner = np.zeros(certain.max(initial=-1) + 1, dtype=np.int64)
    owner[certain] = person
    linked = np.bincount(owner[whole], weights=size * (size - 1) / 2, minlength=len(crowd))
    new = np.unique(ends[certain[ends[:, 0]] != certain[ends[:, 1]]], axis=0)
    linked += np.bincount(person[new[:, 0]], minlength=len(crowd))
    loose = linked < MIN_DENSITY * crowd * (crowd - 1) / 2
    return np.intersect1d(np.flatnonzero(loose), person[ends[:, 0]])


def _match_rules(
    links: pd.DataFrame, count: int, rule_order: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    names = sorted(
        set(links["match_rule"]),
        key=lambda name: (
            name != "override",
            name == "probabilistic",
            rule_order.index(name) if name in rule_order else len(rule_order),
            name,
        ),
    )
    strength = links["match_rule"].map({name: i for i, name in enumerate(names)}).to_numpy()
    strongest = np.full(count, len(names))
    best = np.zeros(count)
    for end in ("left", "right"):
        np.minimum.at(strongest, links[end].to_numpy(), strength.astype(np.int64))
        np.maximum.at(best, links[end].to_numpy(), links["match_probability"].to_numpy(float))
    rules: np.ndarray = np.array([*names, SINGLETON], dtype=object)[strongest]
    return rules, np.where(rules == "probabilistic", best, 1.0)
