"""Tables of room identity that Python writes: which records are one person.

Add a table here before an identity asset writes it. Identity tables made by SQL are described in
the dbt project.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import CUSTOMER_ID, ResultTable

CUSTOMERS_MAP = ResultTable(
    "identity",
    "customers_map",
    "One row per source record: the person it belongs to and why.",
    (
        ("source_system", "VARCHAR", "The system that holds the record."),
        ("source_record_id", "VARCHAR", "The record's key in that system."),
        CUSTOMER_ID,
        ("match_rule", "VARCHAR", "singleton, or the identifier type that attached the record."),
        ("match_probability", "DOUBLE", "1 for exact identifiers."),
        ("first_seen_at", "TIMESTAMP", "First event or creation of the record (UTC)."),
        ("last_seen_at", "TIMESTAMP", "Last event or update of the record (UTC)."),
    ),
)
