"""The contract of every table that Python writes: columns, types, grain and meaning.

Add a table here before an asset writes it; the warehouse creates it, Dagster shows its columns,
`docs/tables.md` is made from it. SQL-made tables stay out: their columns are described in the dbt
project.
"""

from __future__ import annotations

from dataclasses import dataclass

Column = tuple[str, str, str]

QUANTILES = ("mean", "p05", "p25", "p50", "p75", "p95")


@dataclass(frozen=True)
class ResultTable:
    """One table written by Python.

    Parameters
    ----------
    schema, name
        Where it lives; together they are also the Dagster asset key.
    grain
        What one row is, as a sentence that begins "One row per".
    columns
        (name, SQL type, description) in storage order.
    is_sliced
        True when rows belong to an ``as_of_date`` and a run replaces one date at a time.
    """

    schema: str
    name: str
    grain: str
    columns: tuple[Column, ...]
    is_sliced: bool = True

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def key(self) -> list[str]:
        return [self.schema, self.name]

    @property
    def column_names(self) -> list[str]:
        return [name for name, _, _ in self.columns]

    @property
    def ddl(self) -> str:
        body = ", ".join(f"{name} {kind}" for name, kind, _ in self.columns)
        return f"create table if not exists {self.full_name} ({body})"


CUSTOMER_ID: Column = (
    "customer_id",
    "VARCHAR",
    "The person, as identity.customers_map knows them.",
)
AS_OF: Column = ("as_of_date", "DATE", "Last day whose events were seen (inclusive).")
HORIZON: Column = ("horizon_days", "INTEGER", "Days after as_of_date that the row looks ahead.")
VERSION: Column = (
    "model_version_id",
    "VARCHAR",
    "The fit that made the row (models.model_versions).",
)
OBSERVED: tuple[Column, ...] = (
    ("observed_revenue_amount", "DECIMAL(18,2)", "Net revenue to date, to the cent of the ledger."),
    ("observed_margin_amount", "DECIMAL(18,2)", "Margin to date; NULL when cost is unknown."),
)
STATUS: Column = (
    "interval_status",
    "VARCHAR",
    "calibrated, uncalibrated or extrapolated: what past origins say of this interval.",
)


def quantiles(quantity: str, meaning: str) -> tuple[Column, ...]:
    """The six columns of an uncertain number: mean and five quantiles of its predictive draws."""
    label = {"mean": "mean", "p50": "median"}
    return tuple(
        (f"{quantity}_{q}", "DOUBLE", f"{meaning}; {label.get(q, q[1:] + ' % quantile')}.")
        for q in QUANTILES
    )


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
    is_sliced=False,
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
    ),
)

PORTFOLIO_LTV = ResultTable(
    "predictions",
    "portfolio_ltv",
    "One row per as_of_date and horizon: the whole base, from summed draws.",
    (
        AS_OF,
        HORIZON,
        VERSION,
        ("customers_count", "BIGINT", "Customers with at least one purchase."),
        *OBSERVED,
        *quantiles("predicted_orders", "Purchase days of today's customers within the horizon"),
        *quantiles("predicted_revenue", "Their net revenue, model discrepancy included"),
        ("discrepancy_blocks_count", "INTEGER", "Past blocks that the discrepancy learned from."),
        STATUS,
    ),
)

LTV_BACKTESTS = ResultTable(
    "predictions",
    "ltv_backtests",
    "One row per as_of_date (of the test), origin, horizon, slice of customers, model and metric.",
    (
        AS_OF,
        ("origin_date", "DATE", "The date the forecast was made from."),
        HORIZON,
        ("slice", "VARCHAR", "all, repeat_buyers (x > 0) or top_decile of predicted value."),
        ("model", "VARCHAR", "The model or the naive baseline."),
        ("metric", "VARCHAR", "What is measured."),
        ("value", "DOUBLE", "The measure."),
        ("customers_count", "BIGINT", "Customers in the slice."),
        VERSION,
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
        ("slice", "VARCHAR", "all, repeat_buyers (x > 0) or top_decile of predicted value."),
        ("model", "VARCHAR", "The model that made the intervals."),
        ("quantity", "VARCHAR", "orders or revenue."),
        ("nominal_level", "DOUBLE", "Nominal probability of the central interval."),
        ("observed_coverage", "DOUBLE", "Share of customers inside the raw interval."),
        ("pit_coverage", "DOUBLE", "Share of randomised PIT values inside the central interval."),
        ("customers_count", "BIGINT", "Customers in the slice."),
        VERSION,
    ),
)

CUSTOMER_LIFECYCLE = ResultTable(
    "predictions",
    "customer_lifecycle",
    "One row per customer and as_of_date: the lifecycle stage and the rule that gave it.",
    (
        CUSTOMER_ID,
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("stage_rule", "VARCHAR", "The rule that decided, with its numbers."),
        VERSION,
    ),
)

CUSTOMER_LAYER_CLUSTERS = ResultTable(
    "predictions",
    "customer_layer_clusters",
    "One row per customer, as_of_date and layer: the cluster within the customer's stage.",
    (
        CUSTOMER_ID,
        AS_OF,
        ("layer", "VARCHAR", "The context that was clustered."),
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("cluster_key", "VARCHAR", "Cluster, by a key that survives refits."),
        ("distance", "DOUBLE", "Distance to the centre in scaled units."),
        (
            "assignment_margin",
            "DOUBLE",
            "1 - distance / distance to the next centre; NULL if k = 1.",
        ),
        VERSION,
    ),
)

CUSTOMER_MICROSEGMENTS = ResultTable(
    "predictions",
    "customer_microsegments",
    "One row per customer and as_of_date: the micro-segment.",
    (
        CUSTOMER_ID,
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("microsegment_key", "VARCHAR", "Micro-segment, by a key that survives refits."),
        ("pattern", "VARCHAR", "The clusters of all layers that make the micro-segment."),
        ("fallback_level", "INTEGER", "Layers dropped because the cell was under the floor."),
        VERSION,
    ),
)

MICROSEGMENTS = ResultTable(
    "predictions",
    "microsegments",
    "One row per micro-segment and as_of_date.",
    (
        ("microsegment_key", "VARCHAR", "Micro-segment."),
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("microsegment_name", "VARCHAR", "A name people can say."),
        ("pattern", "VARCHAR", "The clusters of all layers that make the micro-segment."),
        ("customers_count", "BIGINT", "Customers in it."),
        VERSION,
    ),
)

MICROSEGMENT_PROFILES = ResultTable(
    "predictions",
    "microsegment_profiles",
    "One row per micro-segment, as_of_date and feature: what sets it apart.",
    (
        ("microsegment_key", "VARCHAR", "Micro-segment."),
        AS_OF,
        ("feature", "VARCHAR", "Column of marts.fct_customer_features."),
        ("mean", "DOUBLE", "Mean in the micro-segment."),
        ("stage_mean", "DOUBLE", "Mean in its stage."),
        ("standardised_gap", "DOUBLE", "(mean - stage mean) / standard deviation in the stage."),
        VERSION,
    ),
)

MICROSEGMENT_LINEAGE = ResultTable(
    "predictions",
    "microsegment_lineage",
    "One row per refit (as_of_date), old and new cluster key: what became of the clusters.",
    (
        AS_OF,
        ("stage", "VARCHAR", "Lifecycle stage."),
        ("layer", "VARCHAR", "The context that was clustered, or microsegment."),
        ("old_key", "VARCHAR", "Cluster before the refit; NULL when born."),
        ("new_key", "VARCHAR", "Cluster after the refit; NULL when retired."),
        ("customers_count", "BIGINT", "Customers in both."),
        ("overlap_share", "DOUBLE", "Share of the old cluster's customers found in the new one."),
        ("jaccard", "DOUBLE", "Intersection over union of the two memberships."),
        ("decision", "VARCHAR", "continued, split, merged, born or retired."),
        VERSION,
    ),
)

MODEL_VERSIONS = ResultTable(
    "models",
    "model_versions",
    "One row per fitted model.",
    (
        VERSION,
        ("model", "VARCHAR", "lifetime_value or microsegmentation."),
        ("data_end_date", "DATE", "Last day of the data it was fitted on."),
        ("status", "VARCHAR", "promoted, rejected, or superseded by a later fit on the same day."),
        ("rejected_because", "VARCHAR", "The gate that failed, with its number."),
        ("customers_count", "BIGINT", "Customers in the training rows."),
        ("groups_count", "BIGINT", "Rows of sufficient statistics the sampler saw."),
        ("rhat_max", "DOUBLE", "Largest R-hat."),
        ("ess_bulk_min", "DOUBLE", "Smallest bulk effective sample size."),
        ("ess_tail_min", "DOUBLE", "Smallest tail effective sample size."),
        ("divergences", "BIGINT", "Divergent transitions."),
        ("ebfmi_min", "DOUBLE", "Smallest energy Bayesian fraction of missing information."),
        ("settings", "VARCHAR", "Settings as JSON."),
        ("input_fingerprint", "VARCHAR", "Hash of data, settings and code that made it."),
    ),
    is_sliced=False,
)

MODEL_PARAMETERS = ResultTable(
    "models",
    "model_parameters",
    "One row per fitted model, draw and parameter: thinned posterior draws, or point values.",
    (
        VERSION,
        ("model", "VARCHAR", "Part of the model the parameter belongs to."),
        ("draw", "INTEGER", "Draw number, the same over all parameters; NULL for point values."),
        ("parameter", "VARCHAR", "Parameter name."),
        ("value", "DOUBLE", "Its value."),
    ),
    is_sliced=False,
)

PROMOTED_DATES = ResultTable(
    "models",
    "promoted_dates",
    "One row per as_of_date built: may it be shown as current.",
    (
        AS_OF,
        ("is_promoted", "BOOLEAN", "True when every gate was passed."),
        ("reason", "VARCHAR", "What refused it, or 'all gates passed'."),
    ),
)

KPI_RECONCILIATION = ResultTable(
    "models",
    "kpi_reconciliation",
    "One row per as_of_date and check: two totals that must agree.",
    (
        AS_OF,
        ("check_name", "VARCHAR", "What is compared."),
        ("left_value", "DECIMAL(18,2)", "The first total."),
        ("right_value", "DECIMAL(18,2)", "The second total."),
        ("difference", "DECIMAL(18,2)", "left_value - right_value."),
        ("is_passed", "BOOLEAN", "True when they agree."),
    ),
)

PIPELINE_RUNS = ResultTable(
    "models",
    "pipeline_runs",
    "One row per run and step that wrote to the warehouse.",
    (
        ("run_id", "VARCHAR", "Dagster run."),
        ("step", "VARCHAR", "Asset or set of assets."),
        ("as_of_date", "DATE", "Slice; NULL for unpartitioned steps."),
        ("written_at", "TIMESTAMP", "Clock time of the write (UTC)."),
    ),
    is_sliced=False,
)

TABLE_LINEAGE = ResultTable(
    "models",
    "table_lineage",
    "One row per table and slice: which run made it, from what, and what it holds.",
    (
        ("table_name", "VARCHAR", "schema.table, or the name of a step."),
        ("as_of_date", "DATE", "Slice; NULL for unpartitioned tables."),
        ("run_id", "VARCHAR", "Run that made it."),
        ("input_fingerprint", "VARCHAR", "Hash of inputs, settings and code."),
        ("row_count", "BIGINT", "Rows."),
        ("content_hash", "VARCHAR", "Hash of the ordered rows."),
    ),
    is_sliced=False,
)

RESULT_TABLES: dict[str, ResultTable] = {
    table.full_name: table
    for table in (
        CUSTOMERS_MAP,
        CUSTOMER_LTV,
        PORTFOLIO_LTV,
        LTV_BACKTESTS,
        LTV_CALIBRATION,
        CUSTOMER_LIFECYCLE,
        CUSTOMER_LAYER_CLUSTERS,
        CUSTOMER_MICROSEGMENTS,
        MICROSEGMENTS,
        MICROSEGMENT_PROFILES,
        MICROSEGMENT_LINEAGE,
        MODEL_VERSIONS,
        MODEL_PARAMETERS,
        PROMOTED_DATES,
        KPI_RECONCILIATION,
        PIPELINE_RUNS,
        TABLE_LINEAGE,
    )
}
