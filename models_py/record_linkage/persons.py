"""Person ids that last: a ledger of names, what they were superseded by, and a log of changes.

Add here what happens to an id when records join, part or vanish.
Which records are one person stays out and is decided in ``resolve``.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from models_py.frames import require_columns
from models_py.record_linkage.keys import RECORD_KEY

LEDGER_COLUMNS = ["customer_id", "record_hash", "founded_at"]
SUPERSEDED_COLUMNS = ["old_customer_id", "customer_id"]


def record_hashes(records: pd.DataFrame) -> np.ndarray:
    """A hash of the key of each record: the ledger outlives records, and must not tell them."""
    keys = zip(records["source_system"], records["source_record_id"], strict=True)
    hashes = [sha256(f"{system}|{record}".encode()).hexdigest() for system, record in keys]
    return np.array(hashes, dtype=object)


@dataclass(frozen=True)
class Names:
    """What persons are called, and what that changed.

    Attributes
    ----------
    customer_id : ndarray (record,)
        Id of the person of each record.
    ledger : DataFrame
        customer_id, record_hash (record it is named after), founded_at (age of that record when it
        gave the name); one row per id ever given.
    superseded : DataFrame
        old_customer_id, customer_id: every id that now is another person, straight to that person.
    """

    customer_id: np.ndarray
    ledger: pd.DataFrame
    superseded: pd.DataFrame


def name_persons(
    records: pd.DataFrame,
    person: np.ndarray,
    ledger: pd.DataFrame,
    superseded: pd.DataFrame,
    previous: pd.DataFrame,
) -> Names:
    """Give every person the id it had, or a new one.

    A person is named after a record and keeps that id wherever the record goes: new records, even
    older ones, never rename it. When persons merge, the one in force that was founded on the oldest
    record keeps its id and the others are superseded. When a person splits, the id stays with the
    part that holds its record; other parts get the name of their own oldest record. Where that
    record vanished, the oldest record that is left of the person takes its place; should it come
    back as another person, that person gets a name that was never given.

    Parameters
    ----------
    records : DataFrame
        source_system, source_record_id, first_seen_at, in order of age.
    person : ndarray (record,)
        Numbers of persons, as of ``resolve``.
    ledger, superseded : DataFrame
        Of the last run; empty in a new warehouse.
    previous : DataFrame
        source_system, source_record_id, customer_id of the last run.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    require_columns(ledger, LEDGER_COLUMNS, "identity.person_names")
    require_columns(superseded, SUPERSEDED_COLUMNS, "identity.superseded")
    hashes = record_hashes(records)
    if ledger.empty and not previous.empty:
        ledger = _ledger_of(previous, records, hashes)
    founders = _founders(ledger, hashes, records, previous)
    present = founders.dropna(subset=["position"])
    present = present.assign(
        person=person[present["position"].to_numpy(dtype=np.int64)],
        is_old=present["customer_id"].isin(set(superseded["old_customer_id"])),
    ).sort_values(["is_old", "founded_at", "customer_id"], na_position="last")
    chosen = present.drop_duplicates("person").set_index("person")["customer_id"]

    numbers, first, which = np.unique(person, return_index=True, return_inverse=True)
    names = np.array(chosen.reindex(numbers), dtype=object)
    fresh = pd.isna(names)
    taken = set(founders["customer_id"]) | set(previous["customer_id"])
    names[fresh] = _fresh_names(hashes[first[fresh]], taken | set(superseded["old_customer_id"]))
    born = pd.DataFrame(
        {
            "customer_id": names[fresh],
            "record_hash": hashes[first[fresh]],
            "founded_at": records["first_seen_at"].to_numpy()[first[fresh]],
        }
    )
    kept = founders[LEDGER_COLUMNS]
    book = pd.concat([kept, born], ignore_index=True) if len(kept) else born
    return Names(
        names[which],
        book.sort_values("customer_id", ignore_index=True),
        _superseded(present, names, numbers, superseded),
    )


def _fresh_names(hashes: np.ndarray, taken: set[str]) -> np.ndarray:
    """Names of new persons: a record that comes back may find its name with an heir it had."""
    names = []
    for text in hashes:
        name, turn = "c_" + text[:16], 2
        while name in taken:
            name, turn = "c_" + sha256(f"{text}|{turn}".encode()).hexdigest()[:16], turn + 1
        taken.add(name)
        names.append(name)
    return np.array(names, dtype=object)


def _ledger_of(previous: pd.DataFrame, records: pd.DataFrame, hashes: np.ndarray) -> pd.DataFrame:
    """Return the ledger of a map made before there was one: ids were hashes of a record's key."""
    named = records.assign(record_hash=hashes).merge(previous, on=RECORD_KEY)
    founds = named["customer_id"] == "c_" + named["record_hash"].str[:16]
    return named[founds].rename(columns={"first_seen_at": "founded_at"})[LEDGER_COLUMNS]


def _founders(
    ledger: pd.DataFrame, hashes: np.ndarray, records: pd.DataFrame, previous: pd.DataFrame
) -> pd.DataFrame:
    """Return the ledger with the position of each founding record, another one where it is gone."""
    place = pd.Series(np.arange(len(hashes), dtype=float), index=hashes)
    founders = ledger[LEDGER_COLUMNS].assign(position=ledger["record_hash"].map(place))
    orphans = founders.index[founders["position"].isna()]
    if not len(orphans) or previous.empty:
        return founders
    taken = set(founders["position"].dropna())
    before = records[RECORD_KEY].merge(previous, on=RECORD_KEY, how="left")["customer_id"]
    left = before[~before.index.isin(taken)].dropna()
    heirs = pd.Series(left.index, index=left.to_numpy()).groupby(level=0).min()
    heir = founders.loc[orphans, "customer_id"].map(heirs)
    found = heir.dropna().astype(np.int64)
    founders.loc[found.index, "position"] = found.astype(float)
    founders.loc[found.index, "record_hash"] = hashes[found.to_numpy()]
    return founders


def _superseded(
    present: pd.DataFrame, names: np.ndarray, numbers: np.ndarray, before: pd.DataFrame
) -> pd.DataFrame:
    current = pd.Series(names, index=numbers)
    now = present.assign(now=present["person"].map(current))
    old = now[now["customer_id"] != now["now"]]
    straight = dict(zip(old["customer_id"], old["now"], strict=True))
    alive = set(present["customer_id"])
    # Ids whose records are all gone stay superseded, by whoever that person is today.
    for was, by in before[SUPERSEDED_COLUMNS].itertuples(index=False):
        if was not in alive and by != was:
            straight[was] = straight.get(by, by)
    rows = sorted(straight.items())
    return pd.DataFrame(rows, columns=SUPERSEDED_COLUMNS, dtype=object)
