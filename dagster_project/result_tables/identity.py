"""Tables of room identity that Python writes: which records are one person.

Add a table here before an identity asset writes it. Identity tables made by SQL are described in
the dbt project.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import CUSTOMER_ID, ResultTable

RECORD = (
    ("source_system", "VARCHAR", "The system that holds the record."),
    ("source_record_id", "VARCHAR", "The record's key in that system."),
)
PAIR = tuple(
    (f"{side}_{name}", kind, f"Of the {side} record: {text[0].lower()}{text[1:]}")
    for side in ("left", "right")
    for name, kind, text in RECORD
)
LINK = (
    (
        "link_type",
        "VARCHAR",
        "always or never (decisions of people), exact (identifier), probabilistic.",
    ),
    ("match_rule", "VARCHAR", "override, the identifier type, or probabilistic."),
    ("match_probability", "DOUBLE", "Probability of being one person; 1 unless probabilistic."),
)

PHONE_NUMBERS = ResultTable(
    "identity",
    "phone_numbers",
    "One row per telephone number as written and country of the record.",
    (
        ("phone", "VARCHAR", "The number as received."),
        ("country_code", "VARCHAR", "Country of the record; empty when unknown."),
        ("e164", "VARCHAR", "The number in E.164; NULL when it can be nobody's."),
        ("is_valid", "BOOLEAN", "True when the country's numbering plan knows its range."),
    ),
)
CUSTOMERS_MAP = ResultTable(
    "identity",
    "customers_map",
    "One row per source record: the person it belongs to and why.",
    (
        *RECORD,
        CUSTOMER_ID,
        (
            "match_rule",
            "VARCHAR",
            "singleton, override, probabilistic, or the identifier type that attached the record.",
        ),
        ("match_probability", "DOUBLE", "1 unless the record was attached by a probable link."),
        ("first_seen_at", "TIMESTAMP", "First event or creation of the record (UTC)."),
        ("last_seen_at", "TIMESTAMP", "Last event or update of the record (UTC)."),
    ),
)
RECORD_LINKS = ResultTable(
    "identity",
    "record_links",
    "One row per pair of records that was linked, or considered and refused.",
    (
        *PAIR,
        *LINK,
        ("match_weight", "DOUBLE", "Evidence in bits; NULL unless probabilistic."),
        ("is_linked", "BOOLEAN", "True when the pair is one person by this link."),
        (
            "refused_because",
            "VARCHAR",
            "contradiction (names or birth dates), too_few_links (between two groups), "
            "decided_never, below_threshold; NULL if linked.",
        ),
    ),
)
PERSON_NAMES = ResultTable(
    "identity",
    "person_names",
    "One row per customer_id ever given: the ledger by which ids outlive a rebuild.",
    (
        CUSTOMER_ID,
        ("record_hash", "VARCHAR", "Hash of the key of the record the person is named after."),
        ("founded_at", "TIMESTAMP", "first_seen_at of that record when it gave the name (UTC)."),
    ),
)
SUPERSEDED = ResultTable(
    "identity",
    "superseded",
    "One row per customer_id that is now part of another person.",
    (
        ("old_customer_id", "VARCHAR", "The id that history was written under."),
        ("customer_id", "VARCHAR", "The person it is today, however many merges later."),
    ),
)
CHANGE_LOG = ResultTable(
    "identity",
    "change_log",
    "One row per merge, split, move between two persons, new and retired person, by run.",
    (
        ("change_number", "BIGINT", "Number of the change, from 1."),
        (
            "event_type",
            "VARCHAR",
            "merged, split, moved (records left one living person for another), new or retired.",
        ),
        (
            "customer_id",
            "VARCHAR",
            "The person that stays or that records moved to, or the only one.",
        ),
        (
            "other_customer_id",
            "VARCHAR",
            "merged: the person superseded; split: the person born; moved: the person left; "
            "else NULL.",
        ),
        *LINK,
        *PAIR,
        ("landing_fingerprint", "VARCHAR", "Hash of the landed data in which it showed."),
    ),
)
