"""Tables of lifetime value: predictions of customers, and how right they were.

Add a table here before a lifetime-value asset writes it. Sums over customers are in totals.py,
fitted parameters in models.py.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import (
    AS_OF,
    CUSTOMER_ID,
    HORIZON,
    OBSERVED,
    STATUS,
    VERSION,
    ResultTable,
    quantiles,
)

CUSTOMER_LTV = ResultTable(
    "predictions",
    "customer_ltv",
    "One row per customer with a purchase, as_of_date and horizon: observed and predicted value.",
    (
        CUSTOMER_ID,
        AS_OF,
        HORIZON,
        VERSION,
        *OBSERVED,
        *quantiles("predicted_orders", "Purchase days within the horizon"),
        *quantiles("predicted_revenue", "Net revenue within the horizon, undiscounted"),
        *quantiles("predicted_margin", "Margin within the horizon; NULL when cost is unknown"),
        *quantiles("predicted_present_value", "Net revenue within the horizon, discounted"),
        ("purchase_probability", "DOUBLE", "P(at least one purchase within the horizon)."),
        ("alive_probability", "DOUBLE", "P(still a customer at as_of_date)."),
        ("expected_next_order_date", "DATE", "Median next purchase day if alive; NULL when far."),
        *quantiles("expected_order_value", "Mean value of this customer's purchase day"),
        STATUS,
        (
            "value_rank",
            "BIGINT",
            "1 for the highest predicted_revenue_mean of the slice at the configured horizon, the "
            "same in all rows of a customer; ties by customer_id.",
        ),
        ("value_tier", "VARCHAR", "Tier of config.yml that the rank falls into."),
    ),
)

CONTRACT_LTV = ResultTable(
    "predictions",
    "contract_ltv",
    "One row per contract begun, as_of_date and horizon: what it will still pay.",
    (
        ("contract_id", "VARCHAR", "Identifier of the contract."),
        CUSTOMER_ID,
        AS_OF,
        HORIZON,
        VERSION,
        ("contract_status", "VARCHAR", "active, or ended on or before as_of_date."),
        (
            "retention_probability",
            "DOUBLE",
            "P(every renewal due within the horizon is made); 1 when none is due, 0 when ended.",
        ),
        *quantiles("predicted_revenue", "Renewals paid within the horizon, undiscounted"),
        *quantiles("predicted_present_value", "Renewals paid within the horizon, discounted"),
        (
            "interval_status",
            "VARCHAR",
            "uncalibrated, as no backtest of contracts is made; extrapolated when the horizon is "
            "longer than the oldest contract has been known.",
        ),
    ),
)

SLICE = (
    "all, repeat_buyers (x > 0), one_time (x = 0), top_decile of predicted value, or "
    "stage_<lifecycle stage at the origin>."
)
ROLE = (
    "role",
    "VARCHAR",
    "S: family selected here; R: intervals recalibrated here; O: reported, nothing chosen by it.",
)
POPULATION = (
    "population_count",
    "BIGINT",
    "Customers at the origin; where more than 20,000, those scored are a sample keyed by id.",
)

LTV_BACKTESTS = ResultTable(
    "predictions",
    "ltv_backtests",
    "One row per as_of_date (of the test), origin, horizon, slice of customers, model and metric.",
    (
        AS_OF,
        ("origin_date", "DATE", "The date the forecast was made from."),
        HORIZON,
        ("slice", "VARCHAR", SLICE),
        (
            "model",
            "VARCHAR",
            "The model or the naive baseline; the fit before, in <quantity>_crps_earlier_gain.",
        ),
        (
            "metric",
            "VARCHAR",
            "What is measured. <quantity>_crps_gain is over a baseline, of the forecasts made at "
            "the origins, <quantity>_crps_verdict_gain of the forecasts of the fit that is judged.",
        ),
        ("value", "DOUBLE", "The measure."),
        ("customers_count", "BIGINT", "Customers in the slice."),
        (
            "model_version_id",
            "VARCHAR",
            "The fit that made the forecast, or that a baseline is held against; NULL where "
            "several did, and for families that are compared only.",
        ),
        ROLE,
        POPULATION,
    ),
)

LTV_CALIBRATION = ResultTable(
    "predictions",
    "ltv_calibration",
    "One row per as_of_date (of the test), origin, horizon, slice, quantity and nominal level.",
    (
        AS_OF,
        ("origin_date", "DATE", "The date the forecast was made from."),
        HORIZON,
        ("slice", "VARCHAR", SLICE),
        ("model", "VARCHAR", "The model that made the intervals."),
        ("quantity", "VARCHAR", "orders or revenue."),
        ("nominal_level", "DOUBLE", "Nominal probability of the central interval."),
        ("observed_coverage", "DOUBLE", "Share of customers inside the raw interval."),
        ("pit_coverage", "DOUBLE", "Share of randomised PIT values inside the central interval."),
        ("customers_count", "BIGINT", "Customers in the slice."),
        VERSION,
        ROLE,
        POPULATION,
        (
            "recalibrated_pit_coverage",
            "DOUBLE",
            "The same after the correction learned on origins R; NULL where none was.",
        ),
        ("level", "VARCHAR", "customer: intervals of single customers."),
        ("is_in_force", "BOOLEAN", "False for a family that is compared but not used."),
    ),
)

LTV_RECALIBRATION = ResultTable(
    "predictions",
    "ltv_recalibration",
    "One row per as_of_date (of the test), horizon, quantity, customer group and nominal level.",
    (
        AS_OF,
        HORIZON,
        ("quantity", "VARCHAR", "orders or revenue (present value and margin follow revenue)."),
        ("customer_group", "VARCHAR", "top (of predicted value), repeat or one_time."),
        ("nominal_level", "DOUBLE", "The quantile that is meant."),
        ("adjusted_level", "DOUBLE", "The quantile of raw draws that is published for it."),
        ("top_from_amount", "DOUBLE", "Predicted revenue from which a customer is in top."),
        ("customers_count", "BIGINT", "Customers that it was learned from."),
        STATUS,
    ),
)
