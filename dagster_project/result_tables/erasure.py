"""Tables of erasure: who must not come back, and what erased persons had bought in all.

Add a table here when forgetting a person leaves something behind. Keys of erased persons are kept
as keyed hashes only; what a company's own systems still hold stays out.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import ResultTable

ERASURES = ResultTable(
    "identity",
    "erasures",
    "One row per erasure and key of the erased person, as a keyed hash: what landing withholds.",
    (
        ("erasure_id", "VARCHAR", "The erasure; a keyed hash of who was to be forgotten."),
        ("key_type", "VARCHAR", "record, record_id, order, text, phone or request."),
        ("source_system", "VARCHAR", "System of a record or order; NULL for other keys."),
        ("key_hash", "VARCHAR", "HMAC-SHA256 of type and value under the key file."),
        ("key_check", "VARCHAR", "Tells one key file from another; the same in every row."),
        ("landing_fingerprint", "VARCHAR", "Fingerprint of the landing that was erased from."),
    ),
)

ERASURE_COLUMNS = ResultTable(
    "identity",
    "erasure_columns",
    "One row per column of a mapped raw table that names persons, found by its staged rows.",
    (
        ("table_name", "VARCHAR", "Raw table."),
        ("column_name", "VARCHAR", "Its column."),
        ("key_type", "VARCHAR", "record, order, text or phone: what the column holds."),
        ("source_system", "VARCHAR", "System of the records or orders; NULL for identifiers."),
    ),
)

PENDING_ERASURES = ResultTable(
    "identity",
    "pending_erasures",
    "One row per person to be forgotten whose erasure has not finished.",
    (
        ("erasure_id", "VARCHAR", "The erasure; a keyed hash of key_value."),
        ("key_type", "VARCHAR", "customer_id, or text or phone when no accepted record has it."),
        ("key_value", "VARCHAR", "Who is to be forgotten, in clear until that is done."),
    ),
)

ERASED_REVENUE = ResultTable(
    "models",
    "erased_revenue",
    "One row per month: net revenue of all persons erased so far, without the persons.",
    (
        ("event_month", "DATE", "First day of the month of the ledger's events."),
        ("revenue_amount", "DECIMAL(18,2)", "Net revenue, in reporting currency."),
        ("margin_amount", "DECIMAL(18,2)", "Margin where it was known."),
    ),
)
