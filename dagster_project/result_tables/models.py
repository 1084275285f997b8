"""Tables of room models: fits, gates, runs and where every slice comes from.

Add a table here that says something of a run or a fit rather than of a customer. It is the only
room with run ids and clock times.
"""

from __future__ import annotations

from dagster_project.result_tables.columns import AS_OF, VERSION, ResultTable

MODEL_VERSIONS = ResultTable(
    "models",
    "model_versions",
    "One row per fitted model.",
    (
        VERSION,
        ("model", "VARCHAR", "lifetime_value, microsegmentation or contracts."),
        ("data_end_date", "DATE", "Last day of the data it was fitted on."),
        (
            "status",
            "VARCHAR",
            "promoted, rejected by a gate or a backtest, superseded by a later fit on the same "
            "day, or rolled_back, which is for good.",
        ),
        ("rejected_because", "VARCHAR", "What failed, with its number; why it went back."),
        ("customers_count", "BIGINT", "Customers in the training rows."),
        ("groups_count", "BIGINT", "Rows of sufficient statistics the sampler saw."),
        ("inference", "VARCHAR", "Per model part: importance (weights) or nuts (chains)."),
        ("k_hat_max", "DOUBLE", "Largest Pareto k of importance weights; NULL for chains."),
        ("rhat_max", "DOUBLE", "Largest R-hat; NULL for importance weights, as the next three."),
        ("ess_bulk_min", "DOUBLE", "Smallest bulk effective sample size."),
        ("ess_tail_min", "DOUBLE", "Smallest tail effective sample size."),
        ("divergences", "BIGINT", "Divergent transitions."),
        ("ebfmi_min", "DOUBLE", "Smallest energy Bayesian fraction of missing information."),
        ("first_order_shape_ratio", "DOUBLE", "Ordinary orders that a first one counts as."),
        ("spend_frequency_effect", "DOUBLE", "Log spread of spend between classes of frequency."),
        ("spend_frequency_p_value", "DOUBLE", "How often chance alone would spread it as much."),
        ("spend_pit_share", "DOUBLE", "Share of last orders inside their central 90 % interval."),
        ("refund_rate", "DOUBLE", "Share of money taken that comes back; NULL when unknown."),
        ("net_factor", "DOUBLE", "What refunds still to come leave of amounts; NULL when unknown."),
        ("margin_rate", "DOUBLE", "Margin per net revenue of the base; NULL without costs."),
        ("margin_rate_sd", "DOUBLE", "Its standard error."),
        ("season", "VARCHAR", "clock or calendar: what purchase times are measured on, and why."),
        ("settings", "VARCHAR", "Settings as JSON."),
        ("input_fingerprint", "VARCHAR", "Hash of data, settings and code that made it."),
        ("data_hash", "VARCHAR", "Hash of the data alone: of what its features were built from."),
        ("code_hash", "VARCHAR", "Hash of the code and of the versions of what computes."),
        ("priors", "VARCHAR", "Priors as JSON: part, number, [kind, location, scale]."),
        ("superseded_by", "VARCHAR", "The fit of the same day that serves in its place."),
    ),
)

MODEL_DRIFT = ResultTable(
    "models",
    "model_drift",
    "One row per as_of_date whose model is another than that of the slice before, and figure that "
    "may have moved: a parameter, or a total of the same customers.",
    (
        AS_OF,
        VERSION,
        ("compared_version_id", "VARCHAR", "The fit of the slice before."),
        ("kind", "VARCHAR", "parameter, or predicted_revenue (of all customers of the date)."),
        ("name", "VARCHAR", "Part and parameter, or the horizon."),
        ("before_mean", "DOUBLE", "Posterior mean, or total, by the fit before."),
        ("after_mean", "DOUBLE", "The same by this fit."),
        ("before_sd", "DOUBLE", "Posterior standard deviation; NULL for totals."),
        ("after_sd", "DOUBLE", "The same by this fit; of totals that of the summed draws."),
        ("relative_change", "DOUBLE", "after / before - 1."),
        (
            "standardised_change",
            "DOUBLE",
            "(after - before) over the standard deviations, root of their squares summed.",
        ),
    ),
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
)
