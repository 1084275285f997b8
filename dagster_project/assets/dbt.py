"""The dbt models as six sets of assets, split where Python stands between them.

Add a set when Python must read one dbt model before another is built. Names and environment are in
dbt_project.py.
"""

import datetime as dt
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliResource, dbt_assets
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from dagster_project.config import load_config
from dagster_project.dbt_project import (
    RoomTranslator,
    dbt_code_hash,
    dbt_variables,
    ensure_manifest,
    last_columns,
    run_to_the_end,
    set_environment,
)
from dagster_project.lineage import Step, begin, forget, record, step_for
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.refusals import refused_sources
from dagster_project.resources import POOL, ClientelaResource

MANIFEST = ensure_manifest(load_config())
FEATURE_PARTS = "fqn:clientela.marts.features"
FEATURES = f"fct_customer_features {FEATURE_PARTS}"
# Read the customers map, so they cannot stand in the set that the map is made from.
AFTER_MAP = (
    "customer_emails device_uses device_periods golden_fields golden_records households "
    "person_areas"
)
# Read by an asset that promotion waits for, so it stands before the other views for BI.
CUSTOMER_ROWS = "customer_360_by_date"
MEASURED = ("dim_", "fct_")
PROMOTED = """
    select as_of_date, input_fingerprint from models.promoted_dates
    join models.table_lineage using (as_of_date)
    where is_promoted and table_name = 'promotion' order by as_of_date
"""


def _build(
    context: dg.AssetExecutionContext,
    dbt: DbtCliResource,
    clientela: ClientelaResource,
    name: str,
    inputs: list[tuple[str, dt.date | None]],
    state: object = None,
) -> Iterator[Any]:
    """Run one set, unless its inputs, variables and SQL are those of the last time.

    A part of a set, chosen in the UI, is always built; the set then counts as unfinished, so that
    the next run of a job makes it whole.
    """
    config = clientela.config
    as_of = dt.date.fromisoformat(context.partition_key) if context.has_partition_key else None
    as_of = as_of if name == "dbt_features" else None
    set_environment(config, str(as_of or ""), context.run_id)
    with clientela.warehouse() as warehouse:
        settings = [config.dbt_vars(), state]
        step = step_for(warehouse, name, as_of, inputs, settings, dbt_code_hash())
        if context.is_subset:
            forget(warehouse, step)
        elif not begin(context, warehouse, step):
            yield from _unchanged(context)
            return
    if context.is_subset and as_of:
        # These parts hold one date; the features alone would be built from the date before.
        parts = ["build", "--select", FEATURE_PARTS, *dbt_variables(config)]
        dbt.cli(parts, manifest=MANIFEST).wait()
    try:
        run = dbt.cli(["build", *dbt_variables(config)], context=context)
        yield from run_to_the_end(run, context, config.warehouse_path)
    except DagsterDbtCliRuntimeError:
        with clientela.warehouse() as warehouse:
            refused = refused_sources(warehouse, config) if name == "dbt_staging" else ""
        if refused:
            # dbt's own words are "FAIL 1" and the name of a test.
            raise dg.Failure(refused) from None
        raise
    if not context.is_subset:
        with clientela.warehouse() as warehouse:
            _record(warehouse, step, context)


def _unchanged(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """What the last build made still stands, and so do its blocking tests: it passed them all.

    Tests that only warn keep the result of the last build and are not repeated.
    """
    kept = last_columns(context.instance, context.selected_asset_keys)
    for key in _topological(context):
        yield dg.MaterializeResult(asset_key=key, metadata=kept[key] | {"unchanged": True})
    for spec in context.assets_def.check_specs:
        if spec.blocking and spec.key in context.selected_asset_check_keys:
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=True,
                metadata={"unchanged": True},
            )


def _topological(context: dg.AssetExecutionContext) -> list[dg.AssetKey]:
    """The assets of the set, each after those it is made from: Dagster refuses another order."""
    own = context.selected_asset_keys
    deps = context.assets_def.asset_deps
    return list(TopologicalSorter({key: deps[key] & own for key in sorted(own)}).static_order())


def _record(warehouse: Any, step: Step, context: dg.AssetExecutionContext) -> None:
    tables = [
        ".".join(key.path)
        for key in context.selected_asset_keys
        if key.path[-1].startswith(MEASURED)
    ]
    record(warehouse, step, context.run_id, sorted(tables))


@dbt_assets(
    manifest=MANIFEST,
    name="dbt_staging",
    select="fqn:clientela.staging",
    dagster_dbt_translator=RoomTranslator(),
    pool=POOL,
)
def dbt_staging(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, clientela: ClientelaResource
) -> Iterator[Any]:
    """Raw to typed, checked and accepted rows; the rest to quarantine."""
    yield from _build(context, dbt, clientela, "dbt_staging", [("raw", None)])


@dbt_assets(
    manifest=MANIFEST,
    name="dbt_identity",
    select="fqn:clientela.identity",
    exclude=AFTER_MAP,
    dagster_dbt_translator=RoomTranslator(),
    pool=POOL,
)
def dbt_identity(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, clientela: ClientelaResource
) -> Iterator[Any]:
    """Everyone who was ever seen, with the identifiers that may join them."""
    inputs: list[tuple[str, dt.date | None]] = [
        ("dbt_staging", None),
        ("identity.phone_numbers", None),
    ]
    yield from _build(context, dbt, clientela, "dbt_identity", inputs)


@dbt_assets(
    manifest=MANIFEST,
    name="dbt_core",
    select=f"fqn:clientela.intermediate fqn:clientela.marts {AFTER_MAP}",
    exclude=FEATURES,
    dagster_dbt_translator=RoomTranslator(),
    pool=POOL,
)
def dbt_core(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, clientela: ClientelaResource
) -> Iterator[Any]:
    """Persons, orders and the ledger, from staging and the customers map."""
    inputs: list[tuple[str, dt.date | None]] = [
        ("dbt_staging", None),
        ("identity.customers_map", None),
    ]
    yield from _build(context, dbt, clientela, "dbt_core", inputs)


@dbt_assets(
    manifest=MANIFEST,
    name="dbt_features",
    select=FEATURES,
    dagster_dbt_translator=RoomTranslator(),
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def dbt_features(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, clientela: ClientelaResource
) -> Iterator[Any]:
    """The point-in-time row of every customer for one as_of_date."""
    yield from _build(context, dbt, clientela, "dbt_features", [("dbt_core", None)])


@dbt_assets(
    manifest=MANIFEST,
    name="dbt_customer_rows",
    select=CUSTOMER_ROWS,
    dagster_dbt_translator=RoomTranslator(),
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def dbt_customer_rows(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, clientela: ClientelaResource
) -> Iterator[Any]:
    """The view of customers by date: one for all dates, so it is built when its SQL changes."""
    yield from _build(context, dbt, clientela, "dbt_customer_rows", [])


@dbt_assets(
    manifest=MANIFEST,
    name="dbt_serving",
    select="fqn:clientela.serving",
    exclude=CUSTOMER_ROWS,
    dagster_dbt_translator=RoomTranslator(),
    pool=POOL,
)
def dbt_serving(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, clientela: ClientelaResource
) -> Iterator[Any]:
    """Views for BI over marts, predictions and models."""
    with clientela.warehouse() as warehouse:
        promoted = warehouse.frame(PROMOTED).astype(str).to_dict("records")
    yield from _build(context, dbt, clientela, "dbt_serving", [("dbt_core", None)], promoted)


DBT_ASSETS = [
    dbt_staging,
    dbt_identity,
    dbt_core,
    dbt_features,
    dbt_customer_rows,
    dbt_serving,
]
