"""Promotion of a date, and the copy that readers see.

Add a gate to ``GATES`` when a slice must not be shown for a new reason. What the copy holds is in
publishing.py.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from dagster_project.dbt_project import DBT_FOLDER
from dagster_project.lineage import (
    asset_spec,
    forget,
    record,
    recorded_fingerprint,
    results,
    step_for,
)
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.publishing import link_default, publish
from dagster_project.reconciliation import exact_sql, totals_sql
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import KPI_RECONCILIATION, PROMOTED_DATES, RESULT_TABLES
from dagster_project.warehouse import Warehouse

# Each query counts offences for the date {day}; more than none refuses the date.
GATES = {
    "models_promoted": """
        select count(*) from (
            select distinct model_version_id from predictions.customer_ltv where as_of_date = {day}
            union select distinct model_version_id from predictions.customer_microsegments
            where as_of_date = {day}
            union select distinct model_version_id from predictions.contract_ltv
            where as_of_date = {day}
        ) used left join models.model_versions using (model_version_id)
        where status is distinct from 'promoted'""",
    "one_value_per_customer_and_horizon": """
        select abs(
            (select count(*) from predictions.customer_ltv where as_of_date = {day})
            - (select count(*) from marts.fct_customer_features
               where as_of_date = {day} and purchase_days_count > 0)
            * {horizons}
        ) + (select count(*) from (select 1 from predictions.customer_ltv
             where as_of_date = {day} group by customer_id, horizon_days having count(*) > 1))""",
    "quantiles_ordered": """
        select count(*) from predictions.customer_ltv where as_of_date = {day} and (
            0 <= predicted_revenue_p05 and predicted_revenue_p05 <= predicted_revenue_p25
            and predicted_revenue_p25 <= predicted_revenue_p50
            and predicted_revenue_p50 <= predicted_revenue_p75
            and predicted_revenue_p75 <= predicted_revenue_p95
            and isfinite(predicted_revenue_mean)) is not true""",
    "one_microsegment_per_customer": """
        select abs(
            (select count(*) from predictions.customer_microsegments where as_of_date = {day})
            - (select count(distinct customer_id) from marts.fct_customer_features
           where as_of_date = {day}))""",
    "migrations_sum_to_sizes": """
        select count(*) from (
            select ended.period, ended.level, ended.key, ended.size
            from (select period, level, to_key as key, sum(customers_count) as size
                  from predictions.segment_migrations
                  where as_of_date = {day} and cause = 'refit' group by all) as ended
            full join (
                select period, level, key, count(*) as size from (
                    select distinct period from predictions.segment_migrations
                    where as_of_date = {day}) as periods
                cross join (
                    select 'stage' as level, stage as key from predictions.customer_microsegments
                    where as_of_date = {day}
                    union all
                    select 'microsegment', microsegment_key from predictions.customer_microsegments
                    where as_of_date = {day}) as standing
                group by all) as sizes using (period, level, key)
            where ended.size is distinct from sizes.size)""",
    "potential_not_below_predicted": """
        select count(*) from predictions.customer_potential where as_of_date = {day} and (
            potential_revenue_mean >= predicted_revenue_mean
            and (benchmark_amount is null) = (benchmark_gap_amount is null)
            and coalesce(benchmark_gap_amount, 0) >= 0) is not true""",
}
PREDICTIONS = [table.key for table in RESULT_TABLES.values() if table.schema == "predictions"]
OBSERVED_CHECK = "observed_revenue_equals_ledger"
TOTALS_CHECK = "totals_reconcile"


@dg.multi_asset(
    specs=[
        asset_spec(
            KPI_RECONCILIATION,
            [("marts", "fct_customer_features"), ("marts", "fct_revenue_ledger"), *PREDICTIONS],
            AS_OF_DATES,
        ),
        asset_spec(PROMOTED_DATES, [("models", "kpi_reconciliation"), *PREDICTIONS], AS_OF_DATES),
    ],
    name="promotion",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    check_specs=[
        dg.AssetCheckSpec(OBSERVED_CHECK, asset=KPI_RECONCILIATION.key, blocking=True),
        dg.AssetCheckSpec(
            TOTALS_CHECK,
            asset=KPI_RECONCILIATION.key,
            blocking=True,
            description="Stages, micro-segments, cohorts and customers each sum to the base, and "
            "the parts of its change to the change.",
        ),
        *(dg.AssetCheckSpec(name, asset=PROMOTED_DATES.key, blocking=True) for name in GATES),
    ],
    pool=POOL,
)
def promotion(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Whether a date may be shown: every gate is a query that counts offences."""
    as_of = dt.date.fromisoformat(context.partition_key)
    day = f"date '{as_of}'"
    horizons = len(clientela.config.lifetime_value.horizons_days)
    with clientela.warehouse() as warehouse:
        inputs = [
            (name, as_of)
            for name in (
                "dbt_features",
                "predictions.customer_ltv",
                "predictions.customer_microsegments",
                "predictions.customer_segment_memberships",
                "predictions.portfolio_ltv",
                "predictions.segment_migrations",
                "predictions.customer_potential",
            )
        ]
        gates = [GATES, exact_sql(day), totals_sql(day)]
        step = step_for(warehouse, "promotion", as_of, inputs, gates, "")
        forget(warehouse, step)
        exact, totals = warehouse.frame(exact_sql(day)), warehouse.frame(totals_sql(day))
        offences = {
            name: _count(warehouse, sql.format(day=day, horizons=horizons))
            for name, sql in GATES.items()
        }
        apart = {
            OBSERVED_CHECK: exact[~exact["is_passed"].astype(bool)],
            TOTALS_CHECK: totals[~totals["is_passed"].astype(bool)],
        }
        offences |= {name: len(rows) for name, rows in apart.items()}
        failed = [f"{name}: {count} rows" for name, count in offences.items() if count]
        promoted = pd.DataFrame(
            {
                "as_of_date": [as_of],
                "is_promoted": [not failed],
                "reason": ["; ".join(failed) or "all gates passed"],
            }
        )
        slice_key = {"as_of_date": as_of}
        reconciled = pd.concat([exact.astype(object), totals.astype(object)], ignore_index=True)
        warehouse.replace_slice(KPI_RECONCILIATION, reconciled, slice_key)
        warehouse.replace_slice(PROMOTED_DATES, promoted, slice_key)
        tables = [KPI_RECONCILIATION, PROMOTED_DATES]
        measured = record(warehouse, step, context.run_id, tables)
    yield from results(tables, measured)
    for name, rows in apart.items():
        told = [f"{row.check_name}: {row.difference}" for row in rows.itertuples()]
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=KPI_RECONCILIATION.key,
            passed=not told,
            metadata={"differences": "; ".join(told) or "none"},
        )
    for name in GATES:
        yield dg.AssetCheckResult(
            check_name=name,
            asset_key=PROMOTED_DATES.key,
            passed=offences[name] == 0,
            metadata={"offending_rows": offences[name]},
        )


def _count(warehouse: Warehouse, sql: str) -> int:
    return int(str(warehouse.scalar(sql)))


PUBLISHED_COPY = dg.AssetKey(["serving", "published_copy"])
SOURCE_FINGERPRINT = "source_fingerprint"
SERVING_VIEWS = sorted(path.stem for path in (DBT_FOLDER / "models" / "serving").glob("*.sql"))


@dg.asset(
    key=PUBLISHED_COPY,
    deps=[dg.AssetDep(["serving", name]) for name in SERVING_VIEWS if not name.startswith("aud_")],
    group_name="serving",
    kinds={"python", "duckdb"},
    owners=["team:clientela"],
    description="The read-only DuckDB file for BI tools, replaced atomically after all gates.",
    pool=POOL,
)
def published_copy(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> dg.MaterializeResult:
    """Copy what readers may see and swap it in."""
    config = clientela.config
    with clientela.warehouse() as warehouse:
        if recorded_fingerprint(warehouse, "dbt_core", None) is None:
            raise dg.Failure(
                "the last build of the marts did not finish or failed a test, so nothing is "
                "published. Run the job `prepare` and look at its failed checks."
            )
        source = warehouse.scalar("select fingerprint from raw.landed_dataset")
        newest = warehouse.scalar(
            "select max(as_of_date) from models.promoted_dates where is_promoted"
        )
        last_order = warehouse.scalar("select max(order_date) from marts.fct_orders")
    counts = publish(config.warehouse_path, config.published_path)
    for path in (config.published_path, config.warehouse_path):
        link_default(path)
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(str(config.published_path)),
            "tables": len(counts),
            "rows": sum(counts.values()),
            SOURCE_FINGERPRINT: str(source),
            "config_hash": config.content_hash(),
            "as_of_date": str(newest),
            "last_order_date": str(last_order),
        }
    )
