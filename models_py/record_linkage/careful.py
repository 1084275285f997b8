"""Separating the few persons whose records may contradict each other, link by link.

Add here what becomes of an identifier that two persons share.
Persons without any difference whose records are mostly linked never come here: they are found in
one pass (``resolve``). What a contradiction is stays out too (``clusters``).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from models_py.record_linkage.keys import RECORD_KEY
from models_py.record_linkage.links import links_frame

# More named records than this on one identifier are compared with the first only.
PAIRS_UP_TO = 40


def separate(
    records: pd.DataFrame,
    in_doubt: np.ndarray,
    members: pd.DataFrame,
    considered: pd.DataFrame,
    portraits: pd.DataFrame,
    trust_birth_dates: bool,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Follow the links of doubtful persons again, strongest first, refusing contradictions.

    An identifier whose named records turn out to be several persons joins those that agree.
    Records without a name that state it too (guest orders) stay with one another: nobody can say
    whose they are.

    Parameters
    ----------
    records : DataFrame
        source_system, source_record_id, by position.
    in_doubt : ndarray (record,)
        True for the records to separate.
    members : DataFrame
        record, identifier, identifier_type, rank.
    considered : DataFrame
        Links by decision and by probability.
    portraits : DataFrame
        What the customer records say, by position of the record.
    trust_birth_dates : bool
        As for ``cluster_pairs``.

    Returns
    -------
    links : DataFrame
        Every link tried, with is_linked and refused_because.
    person : ndarray (record,)
        Numbers of persons, from 0; -1 for records that are not in doubt.
    """
    members = members[in_doubt[members["record"].to_numpy()]]
    considered = considered[in_doubt[considered["left"].to_numpy()]]
    named = np.isin(np.arange(len(records)), portraits.index)
    person = np.full(len(records), -1)
    links = pd.DataFrame()
    disputed: set[int] = set()
    for _ in range(2):  # once to see which identifiers are disputed, once without their strangers
        exact = _identifier_links(members, named, disputed)
        links, person = _clustered(
            records,
            in_doubt,
            pd.concat([considered, exact], ignore_index=True),
            portraits,
            trust_birth_dates,
        )
        faces = members[named[members["record"].to_numpy()]]
        owners = faces.assign(person=person[faces["record"].to_numpy()]).groupby("identifier")
        persons_count = owners["person"].nunique()
        disputed = set(persons_count.index[persons_count > 1].tolist())
        if not disputed:
            break
    return links, person


def _identifier_links(members: pd.DataFrame, named: np.ndarray, disputed: set[int]) -> pd.DataFrame:
    rows: list[tuple[int, int, str, int]] = []
    for identifier, group in members.groupby("identifier", sort=True):
        kind, rank = str(group["identifier_type"].iloc[0]), int(group["rank"].iloc[0])
        everyone = sorted(group["record"].tolist())
        faces = [record for record in everyone if named[record]]
        strangers = [record for record in everyone if not named[record]]
        pairs = (
            list(combinations(faces, 2))
            if len(faces) <= PAIRS_UP_TO
            else [(faces[0], other) for other in faces[1:]]
        )
        centre = faces[0] if faces and identifier not in disputed else (strangers or [-1])[0]
        pairs += [(centre, record) for record in strangers if record != centre]
        rows += [(one, other, kind, rank) for one, other in pairs]
    left, right, kinds, ranks = zip(*rows, strict=True) if rows else ((), (), (), ())
    return links_frame(
        np.array(left, dtype=np.int64),
        np.array(right, dtype=np.int64),
        "exact",
        np.array(kinds, dtype=object),
        np.array(ranks, dtype=np.int64),
    )


def _clustered(
    records: pd.DataFrame,
    in_doubt: np.ndarray,
    links: pd.DataFrame,
    portraits: pd.DataFrame,
    trust_birth_dates: bool,
) -> tuple[pd.DataFrame, np.ndarray]:
    from models_py.record_linkage.clusters import cluster_pairs

    # Everybody with a name is shown: how usual a given name is shows in all records only.
    places = np.union1d(np.flatnonzero(in_doubt), portraits.index.to_numpy(dtype=np.int64))
    said = portraits.drop(columns=RECORD_KEY, errors="ignore").reindex(places)
    shown = pd.concat([records[RECORD_KEY].iloc[places], said], axis=1)
    keyed = links.assign(
        # Stronger identifiers first; among probable links the more probable.
        match_weight=links["match_weight"].fillna(1000.0 - links["rank"]),
        **{
            f"{column}_{side}": records[column].to_numpy()[links[end]]
            for side, end in (("l", "left"), ("r", "right"))
            for column in RECORD_KEY
        },
    )
    groups, tried = cluster_pairs(shown, keyed, trust_birth_dates=trust_birth_dates)
    number = records[RECORD_KEY].assign(position=np.arange(len(records))).merge(groups)
    person = np.full(len(records), -1)
    person[number["position"].to_numpy()] = number["person"].to_numpy()
    person[~in_doubt] = -1
    is_never = (tried["link_type"] == "never").to_numpy()
    never = set(zip(tried["left"][is_never], tried["right"][is_never], strict=True))
    pairs = zip(tried["left"], tried["right"], tried["is_loose"], strict=True)
    reasons = np.array(
        [
            "decided_never"
            if (one, other) in never
            else "too_few_links"
            if loose
            else "contradiction"
            for one, other, loose in pairs
        ],
        dtype=object,
    )
    reasons[~tried["is_refused"].to_numpy(dtype=bool)] = None
    exact = (tried["link_type"] == "exact").to_numpy()
    tried["is_linked"] = ~tried["is_refused"].to_numpy(dtype=bool)
    tried["refused_because"] = pd.Series(reasons, index=tried.index, dtype=object)
    tried.loc[exact, "match_weight"] = np.nan
    return tried[~is_never][links.columns], person
