"""Tables of lifetime value summed over customers: the base, stages, micro-segments, cohorts.

Add a table here before an asset sums into it. Values of single customers and backtests are in
lifetime_value.py.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import (
    AS_OF,
    HORIZON,
    OBSERVED,
    VERSION,
    Column,
    ResultTable,
    quantiles,
)

CUSTOMERS: Column = ("customers_count", "BIGINT", "Customers with at least one purchase.")
PREDICTED: tuple[Column, ...] = (
    *quantiles("predicted_orders", "Purchase days of today's customers within the horizon"),
    *quantiles("predicted_revenue", "Their net revenue, model discrepancy included"),
    (
        "discrepancy_blocks_count",
        "INTEGER",
        "Past blocks of the longest tested length that the discrepancy of revenue learned from.",
    ),
    (
        "interval_status",
        "VARCHAR",
        "What past totals say of the interval of revenue: calibrated, uncalibrated, extrapolated, "
        "or refused, which leaves its quantiles NULL.",
    ),
    ("interval_reason", "VARCHAR", "The figures that gave the interval of revenue its status."),
    ("orders_discrepancy_blocks_count", "INTEGER", "The same blocks, of orders."),
    ("orders_interval_status", "VARCHAR", "The same status, of orders."),
    ("orders_interval_reason", "VARCHAR", "The same figures, of orders."),
    ("predicted_margin_mean", "DOUBLE", "Their margin, mean; NULL when unknown for anybody."),
)
SUMMED: tuple[Column, ...] = (AS_OF, HORIZON, VERSION, CUSTOMERS, *OBSERVED, *PREDICTED)

PORTFOLIO_LTV = ResultTable(
    "predictions",
    "portfolio_ltv",
    "One row per as_of_date and horizon: the whole base, from summed draws.",
    (
        *SUMMED,
        ("previous_as_of_date", "DATE", "Promoted slice before this one; NULL for the first."),
        (
            "previous_revenue_amount",
            "DECIMAL(18,2)",
            "Sum over the customers of that slice. With the four changes below it sums to "
            "predicted_revenue_mean of this one.",
        ),
        (
            "departed_change_amount",
            "DECIMAL(18,2)",
            "Change by customers of that slice who are none now (merged, refunded).",
        ),
        (
            "behaviour_change_amount",
            "DECIMAL(18,2)",
            "Change by what known customers did and by time that passed: model of that slice on "
            "the history of today.",
        ),
        (
            "new_customers_change_amount",
            "DECIMAL(18,2)",
            "Value of customers who were none in that slice, by its model.",
        ),
        (
            "model_change_amount",
            "DECIMAL(18,2)",
            "Change by another model on the same history; 0 while the model stays.",
        ),
    ),
)

STAGE_LTV = ResultTable(
    "predictions",
    "stage_ltv",
    "One row per as_of_date, lifecycle stage and horizon: customers of the stage, from summed "
    "draws.",
    (*SUMMED, ("stage", "VARCHAR", "Lifecycle stage.")),
)

MICROSEGMENT_LTV = ResultTable(
    "predictions",
    "microsegment_ltv",
    "One row per as_of_date, micro-segment and horizon: its customers, from summed draws.",
    (
        *SUMMED,
        ("stage", "VARCHAR", "Lifecycle stage of the micro-segment."),
        ("microsegment_key", "VARCHAR", "Micro-segment."),
    ),
)

COHORT_LTV = ResultTable(
    "predictions",
    "cohort_ltv",
    "One row per as_of_date, acquisition month, channel, age in months and horizon: what a cohort "
    "brought up to an age (horizon 0), and what its customers will bring from today on.",
    (
        AS_OF,
        ("acquisition_month", "DATE", "First day of the month of the first purchase."),
        ("acquisition_channel", "VARCHAR", "Channel that won the customer; unknown when not said."),
        ("age_months", "INTEGER", "Calendar months since the acquisition month."),
        (
            "horizon_days",
            "INTEGER",
            "0 for what was observed up to the age; else the days ahead of as_of_date, at the age "
            "of today.",
        ),
        VERSION,
        CUSTOMERS,
        ("observed_revenue_amount", "DECIMAL(18,2)", "Net revenue up to the age."),
        ("observed_margin_amount", "DECIMAL(18,2)", "Margin up to the age; NULL when unknown."),
        *PREDICTED,
        (
            "acquisition_cost_amount",
            "DECIMAL(18,2)",
            "What winning these customers cost; NULL unless known of every one.",
        ),
        (
            "revenue_to_cost_ratio",
            "DOUBLE",
            "(observed + predicted revenue) / acquisition cost; NULL when the cost is unknown or "
            "zero.",
        ),
        (
            "margin_to_cost_ratio",
            "DOUBLE",
            "The same of margin, which is LTV to acquisition cost proper; NULL when unknown.",
        ),
        (
            "payback_age_months",
            "INTEGER",
            "First age at which observed margin covers the cost; NULL when not yet, or unknown.",
        ),
    ),
)
