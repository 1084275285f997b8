"""Links of records that share an exact identifier: certain, transitive, named after the earliest.

Add here what exact identifiers decide.
Normalising and counting identifiers is SQL; similarities of names and dates are probabilistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import pandas as pd

from models_py.frames import require_columns, require_complete
from models_py.record_linkage.graph import connected
from models_py.record_linkage.keys import RECORD_KEY

CUSTOMERS_MAP_COLUMNS = [
    *RECORD_KEY,
    "customer_id",
    "match_rule",
    "match_probability",
    "first_seen_at",
    "last_seen_at",
]
SINGLETON = "singleton"


class ExactLinkage:
    """Persons as connected components of records that share an exact identifier: the baseline.

    A run uses `resolve`, which weighs contradictions and probable links as well. Records and
    joinable identifiers are the two sides of a graph; records that can reach each other are one
    person. The person is named after its earliest record, so row order never changes the
    name; a record that lands late but is dated earlier does, as does one that joins two persons.

    Parameters
    ----------
    rule_order : sequence of str
        Identifier types, strongest first: the one named in match_rule when a record shares
        several. Types not listed follow in alphabetical order.
    """

    def __init__(
        self, rule_order: Sequence[str] = ("loyalty_id", "email", "phone_and_name", "device_id")
    ) -> None:
        self.rule_order = tuple(rule_order)

    def link(self, records: pd.DataFrame, identifiers: pd.DataFrame) -> pd.DataFrame:
        """Give every record the customer_id of its person.

        Parameters
        ----------
        records : DataFrame
            One row per record: source_system, source_record_id, first_seen_at, last_seen_at.
        identifiers : DataFrame
            source_system, source_record_id, identifier_type, identifier_value, is_joinable; rows
            that are not joinable join nobody.

        Returns
        -------
        DataFrame
            One row per record: source_system, source_record_id, customer_id, match_rule (the
            strongest identifier type shared with another record, or ``singleton``),
            match_probability (1.0: exact), first_seen_at, last_seen_at; ordered by the record key.

        Raises
        ------
        ValueError
            If a record comes twice, a key is NULL, or an identifier belongs to no record.
        """
        records = ordered_records(records)
        count = len(records)
        links = joinable_links(records, identifiers)
        person = components(links["record"].to_numpy(), links["identifier"].to_numpy(), count)

        # Records are in order of age, so the first record of a component is its earliest.
        _, first, which = np.unique(person, return_index=True, return_inverse=True)
        oldest = records.iloc[first]
        names = [
            "c_" + sha256(f"{system}|{record}".encode()).hexdigest()[:16]
            for system, record in zip(
                oldest["source_system"], oldest["source_record_id"], strict=True
            )
        ]
        answer = records.assign(
            customer_id=np.array(names, dtype=object)[which] if names else [],
            match_rule=self._match_rules(links, count),
            match_probability=1.0,
        )
        return answer[CUSTOMERS_MAP_COLUMNS].sort_values(RECORD_KEY, ignore_index=True)

    def _match_rules(self, links: pd.DataFrame, count: int) -> np.ndarray:
        others = sorted(set(links["identifier_type"]) - set(self.rule_order))
        types = [*self.rule_order, *others]
        shared = links[links["records_count"] > 1]
        strength = pd.Categorical(shared["identifier_type"], categories=types).codes.astype(int)
        strongest = np.full(count, len(types))
        np.minimum.at(strongest, shared["record"].to_numpy(), strength)
        rules: np.ndarray = np.array([*types, SINGLETON], dtype=object)[strongest]
        return rules


def ordered_records(records: pd.DataFrame) -> pd.DataFrame:
    """Order records by first_seen_at (unknown last) and key: the order that names persons."""
    table = "identity.source_records"
    require_columns(records, [*RECORD_KEY, "first_seen_at", "last_seen_at"], table)
    require_complete(records, RECORD_KEY, table, "Give every record a key in staging.")
    if records.duplicated(RECORD_KEY).any():
        raise ValueError(
            f"{table} holds {int(records.duplicated(RECORD_KEY).sum())} records more than once: "
            "reduce it to one row per source_system and source_record_id."
        )
    return records.sort_values(
        ["first_seen_at", *RECORD_KEY], na_position="last", ignore_index=True
    )


def joinable_links(records: pd.DataFrame, identifiers: pd.DataFrame) -> pd.DataFrame:
    """Return record and identifier positions, identifier_type, records_count of the identifier."""
    table = "identity.record_identifiers"
    wanted = [*RECORD_KEY, "identifier_type", "identifier_value", "is_joinable"]
    require_columns(identifiers, wanted, table)
    joinable = identifiers[identifiers["is_joinable"].fillna(False).astype(bool)]
    names = ["identifier_type", "identifier_value"]
    require_complete(joinable, names, table, "Mark it as not joinable.")
    joinable = joinable[[*RECORD_KEY, *names]].drop_duplicates()
    position = records[RECORD_KEY].assign(record=np.arange(len(records)))
    links = joinable.merge(position, on=RECORD_KEY, how="left")
    strangers = int(links["record"].isna().sum())
    if strangers:
        raise ValueError(
            f"{table} has {strangers} rows whose record is not in identity.source_records: build "
            "both from the same staging."
        )
    grouped = links.groupby(names, sort=False)
    return pd.DataFrame(
        {
            "record": links["record"].to_numpy().astype(np.int64),
            "identifier": grouped.ngroup().to_numpy(),
            "identifier_type": links["identifier_type"].to_numpy(),
            "records_count": grouped["record"].transform("size").to_numpy(),
        }
    )


def components(record: np.ndarray, identifier: np.ndarray, count: int) -> np.ndarray:
    """Number of the component of each of `count` records, given which holds which identifier."""
    size = count + (int(identifier.max()) + 1 if len(identifier) else 0)
    return connected(record, count + identifier, size)[:count]
