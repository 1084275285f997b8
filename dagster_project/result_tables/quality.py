"""Tables of room models about the data itself: how fresh, how different, what changed in the past.

Add a table here that judges what was delivered. Tables about fits, gates and runs stay out; they
are in models.py beside this module. No column names or identifies a person.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import AS_OF, Column, ResultTable

LANDING_NUMBER: Column = (
    "landing_number",
    "BIGINT",
    "Landings of this warehouse whose content differed from the one before, counted from 1.",
)
LANDING_FINGERPRINT: Column = (
    "landing_fingerprint",
    "VARCHAR",
    "Hash of what was landed (raw.landed_dataset).",
)
SHAPE: Column = ("shape", "VARCHAR", "Shape of the source contract.")
COLUMN: Column = ("column_name", "VARCHAR", "Column of the shape; empty where rows are counted.")
MEASURE: Column = (
    "measure",
    "VARCHAR",
    "rows_count, rows_per_day, null_share, mean, p05, p50, p95, or share (of the bucket).",
)

SOURCE_FRESHNESS = ResultTable(
    "models",
    "source_freshness",
    "One row per as_of_date and dated source table that had begun by then.",
    (
        AS_OF,
        ("source_table", "VARCHAR", "Raw table or mapping the rows came from."),
        SHAPE,
        ("newest_event_date", "DATE", "Day of its newest row on or before as_of_date."),
        ("age_days", "BIGINT", "Days from that day to as_of_date."),
        ("max_age_days", "BIGINT", "Limit of config.yml for the shape."),
        ("is_fresh", "BOOLEAN", "True when age_days is within the limit."),
        ("data_end_date", "DATE", "Last day of orders in the whole delivery."),
    ),
)

SOURCE_PROFILES = ResultTable(
    "models",
    "source_profiles",
    "One row per landing, shape, column, measure and bucket.",
    (
        LANDING_NUMBER,
        LANDING_FINGERPRINT,
        SHAPE,
        COLUMN,
        MEASURE,
        ("bucket", "VARCHAR", "Code, or range of a number; empty for other measures."),
        ("measured_value", "DOUBLE", "The value; NULL where there was nothing to measure."),
        ("rows_count", "BIGINT", "Rows it was measured on."),
    ),
)

SOURCE_DRIFT = ResultTable(
    "models",
    "source_drift",
    "One row per landing, shape, column and measure compared with the landings before.",
    (
        LANDING_NUMBER,
        SHAPE,
        COLUMN,
        ("measure", "VARCHAR", "rows_count, rows_per_day, null_share, or distribution."),
        (
            "before_value",
            "VARCHAR",
            "Median of the earlier landings; of a distribution its summary.",
        ),
        ("after_value", "VARCHAR", "The same of this landing."),
        ("drift", "DOUBLE", "Relative change; change of share; or population stability index."),
        ("drift_limit", "DOUBLE", "Limit it is held against."),
        ("landings_compared", "BIGINT", "Earlier landings in the median."),
        ("is_flagged", "BOOLEAN", "True when the drift is beyond its limit."),
    ),
)

LEDGER_EVENTS = ResultTable(
    "models",
    "ledger_events",
    "One row per event of the ledger as the last run left it: the memory that changes are told by.",
    (
        ("event_type", "VARCHAR", "order or refund."),
        ("event_id", "VARCHAR", "Source system and identifier, joined by a colon."),
        ("event_date", "DATE", "Day on which it counts."),
        ("revenue_amount", "DECIMAL(18,2)", "Net revenue in reporting currency."),
        LANDING_FINGERPRINT,
        ("ledger_fingerprint", "VARCHAR", "Build of the ledger that is remembered."),
    ),
)

LEDGER_CHANGES = ResultTable(
    "models",
    "ledger_changes",
    "One row per comparison of two ledgers, kind of change and day of the ledger.",
    (
        ("comparison_number", "BIGINT", "Comparisons of this warehouse, counted from 1."),
        LANDING_FINGERPRINT,
        ("ledger_fingerprint", "VARCHAR", "Build of the ledger that was compared."),
        ("run_id", "VARCHAR", "Run that compared."),
        (
            "cause",
            "VARCHAR",
            "landing when other data was landed, else settings (settings, code or identity).",
        ),
        (
            "kind",
            "VARCHAR",
            "new (after the data end before), late (on or before it), corrected (another amount or "
            "day), withdrawn (gone).",
        ),
        ("event_date", "DATE", "Day of the ledger that changed."),
        (
            "rows_count",
            "BIGINT",
            "Events; one that moved to another day counts on its new day only.",
        ),
        ("amount_before", "DECIMAL(18,2)", "What these events brought to the day before."),
        ("amount_after", "DECIMAL(18,2)", "What they bring to it now."),
    ),
)
