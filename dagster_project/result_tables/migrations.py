"""Tables of movement: who went from where to where between two dates, and the sizes to come.

Add a table here before the asset of migrations writes it. Where each customer stands is in
segments.py.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import AS_OF, VERSION, Column, ResultTable

PERIOD: Column = (
    "period",
    "VARCHAR",
    "day, week or month; irregular when the step from the promoted date before is none of these.",
)
LEVEL: Column = ("level", "VARCHAR", "stage or microsegment.")

SEGMENT_MIGRATIONS = ResultTable(
    "predictions",
    "segment_migrations",
    "One row per as_of_date, period that ends at it, level, cause, from_key and to_key: the "
    "customers who went that way.",
    (
        AS_OF,
        PERIOD,
        ("from_date", "DATE", "The promoted date that the period starts from."),
        LEVEL,
        (
            "cause",
            "VARCHAR",
            "behaviour: from the key at from_date to the key that the fits of then would give at "
            "as_of_date; refit: from that key to the one the fits of as_of_date give.",
        ),
        ("from_key", "VARCHAR", "Stage or micro-segment before; NULL for customers who came."),
        ("to_key", "VARCHAR", "Stage or micro-segment after; NULL for customers who went."),
        ("from_stage", "VARCHAR", "Lifecycle stage of from_key."),
        ("to_stage", "VARCHAR", "Lifecycle stage of to_key."),
        ("customers_count", "BIGINT", "Customers on this path, those who stayed included."),
        ("from_customers_count", "BIGINT", "Customers of from_key on all paths of the cause."),
        ("share_of_from", "DOUBLE", "customers_count / from_customers_count."),
        (
            "probability_mean",
            "DOUBLE",
            "Probability of the path, shrunk towards the other keys of the stage (level stage: "
            "towards all stages); NULL for refit, which is no chance. Paths that nobody took hold "
            "what is missing to 1.",
        ),
        ("probability_p05", "DOUBLE", "Its 5 % quantile."),
        ("probability_p95", "DOUBLE", "Its 95 % quantile."),
        (
            "value_before_amount",
            "DOUBLE",
            "Predicted revenue of these customers at lifecycle.horizon_days before the step.",
        ),
        (
            "value_after_amount",
            "DOUBLE",
            "The same after the step: for behaviour by the value model of from_date, for refit by "
            "that of as_of_date.",
        ),
        VERSION,
    ),
)

SEGMENT_MIGRATION_FORECASTS = ResultTable(
    "predictions",
    "segment_migration_forecasts",
    "One row per as_of_date, period, level, key and number of periods ahead: customers to come.",
    (
        AS_OF,
        PERIOD,
        LEVEL,
        ("key", "VARCHAR", "Stage or micro-segment, by the fits of as_of_date."),
        ("stage", "VARCHAR", "Lifecycle stage of the key."),
        ("periods_ahead", "INTEGER", "Periods after as_of_date."),
        ("target_date", "DATE", "The date that the forecast is of."),
        ("customers_count", "BIGINT", "Customers at as_of_date."),
        ("customers_mean", "DOUBLE", "Customers at target_date by the same fits; mean."),
        ("customers_p05", "DOUBLE", "5 % quantile."),
        ("customers_p95", "DOUBLE", "95 % quantile."),
        ("past_periods_count", "INTEGER", "Periods with counts that the forecast learned from."),
        (
            "forecast_status",
            "VARCHAR",
            "few_past_periods: fewer than 6, so the interval is mostly assumed and wide; else "
            "learned.",
        ),
        VERSION,
    ),
)
