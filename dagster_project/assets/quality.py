"""What is said of the data itself: how fresh, how different from before, what changed in the past.

Add a check here when a delivery can go wrong in a way that nobody is told of. These warn; what
stops a run are the blocking tests of staging and marts. Profiles are taken in profiling.py,
ledgers compared in ledger_memory.py.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from dagster_project.config import Config
from dagster_project.ledger_memory import changes_of, counts_by_kind, remember_ledger
from dagster_project.lineage import asset_spec, begin, code_hash, record, results, step_for
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.profiling import profile
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import (
    LEDGER_CHANGES,
    LEDGER_EVENTS,
    SOURCE_DRIFT,
    SOURCE_FRESHNESS,
    SOURCE_PROFILES,
)
from dagster_project.source_contract import SHAPES
from dagster_project.warehouse import Warehouse

Results = Iterator[dg.MaterializeResult | dg.AssetCheckResult]

FRESH_CHECK = "sources_are_fresh"
DRIFT_CHECK = "no_source_drifted"
KEPT_LANDINGS = 60
ENDS = """
    select
        source_table, shape,
        max(event_date) filter (where event_date <= ?) as newest_event_date,
        (select max(event_date) from staging.event_days where shape = 'orders') as data_end_date
    from staging.event_days
    group by source_table, shape
    having min(event_date) <= ?
    order by source_table, shape
"""


@dg.multi_asset(
    specs=[asset_spec(SOURCE_FRESHNESS, [("staging", "event_days")], AS_OF_DATES)],
    name="source_freshness",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    check_specs=[dg.AssetCheckSpec(FRESH_CHECK, asset=SOURCE_FRESHNESS.key)],
    pool=POOL,
)
def source_freshness(context: dg.AssetExecutionContext, clientela: ClientelaResource) -> Results:
    """Newest event of every dated table against the as-of date."""
    as_of = dt.date.fromisoformat(context.partition_key)
    limits = clientela.config.quality.max_age_days
    with clientela.warehouse() as warehouse:
        inputs: list[tuple[str, dt.date | None]] = [("dbt_staging", None)]
        code = code_hash(__name__)
        step = step_for(warehouse, SOURCE_FRESHNESS.full_name, as_of, inputs, limits, code)
        measured = None
        if begin(context, warehouse, step, unpromotes=False):
            found = _freshness(warehouse, as_of, limits)
            warehouse.replace_slice(SOURCE_FRESHNESS, found, {"as_of_date": as_of})
            measured = record(warehouse, step, context.run_id, [SOURCE_FRESHNESS])
        stale = warehouse.frame(
            f"select * from {SOURCE_FRESHNESS.full_name} where as_of_date = ? and not is_fresh "
            "order by age_days desc, source_table",
            [as_of],
        )
    yield from results([SOURCE_FRESHNESS], measured)
    told = [
        f"{row.source_table}: newest event of {row.newest_event_date:%Y-%m-%d}, {row.age_days} "
        f"days before {as_of} (limit {row.max_age_days}); ask its owner, or raise "
        f"quality.max_age_days.{row.shape}"
        for row in stale.itertuples()
    ]
    yield _warning(SOURCE_FRESHNESS.key, FRESH_CHECK, told)


def _freshness(warehouse: Warehouse, as_of: dt.date, limits: dict[str, int]) -> pd.DataFrame:
    found = warehouse.frame(ENDS, [as_of, as_of])
    newest = pd.to_datetime(found["newest_event_date"])
    age = (pd.Timestamp(as_of) - newest).dt.days.astype("int64")
    limit = found["shape"].map(lambda shape: limits.get(shape, limits["default"])).astype("int64")
    return found.assign(as_of_date=as_of, age_days=age, max_age_days=limit, is_fresh=age <= limit)


@dg.multi_asset(
    specs=[
        asset_spec(
            SOURCE_PROFILES,
            [("staging", "event_days"), *(("staging", name) for name in SHAPES)],
        ),
        asset_spec(
            SOURCE_DRIFT, [("models", "source_profiles")], kinds=("python", "scipy", "duckdb")
        ),
    ],
    name="source_drift",
    check_specs=[dg.AssetCheckSpec(DRIFT_CHECK, asset=SOURCE_DRIFT.key)],
    pool=POOL,
)
def source_drift(context: dg.AssetExecutionContext, clientela: ClientelaResource) -> Results:
    """Profile a landing and hold it against those before; skipped while nothing else is landed."""
    config = clientela.config
    with clientela.warehouse() as warehouse:
        step = step_for(
            warehouse,
            SOURCE_DRIFT.full_name,
            None,
            [("dbt_staging", None)],
            config.quality.drift.model_dump(),
            code_hash("dagster_project.profiling", "models_py.drift", __name__),
        )
        measured = None
        if begin(context, warehouse, step):
            _compare_landing(warehouse, config)
            tables = [SOURCE_PROFILES, SOURCE_DRIFT]
            measured = record(warehouse, step, context.run_id, tables)
        flagged = warehouse.frame(
            "select * from models.source_drift where is_flagged and landing_number = "
            "(select max(landing_number) from models.source_profiles) order by 2, 3, 4"
        )
    yield from results([SOURCE_PROFILES, SOURCE_DRIFT], measured)
    told = [
        f"{row.shape}{'.' * bool(row.column_name)}{row.column_name} {row.measure}: "
        f"{row.before_value} -> {row.after_value} "
        f"(drift {row.drift:.3g}, limit {row.drift_limit:.3g})"
        for row in flagged.itertuples()
    ]
    yield _warning(SOURCE_DRIFT.key, DRIFT_CHECK, told)


def _compare_landing(warehouse: Warehouse, config: Config) -> None:
    """Write the profile and the drift of what is landed now.

    The same content keeps its number, so that a change of code makes no landing of its own.
    """
    from models_py.drift import compare_profiles

    drift = config.quality.drift
    landing = str(warehouse.scalar("select fingerprint from raw.landed_dataset"))
    last = warehouse.connection.execute(
        "select landing_number, landing_fingerprint from models.source_profiles "
        "order by landing_number desc limit 1"
    ).fetchall()
    number = 1 if not last else last[0][0] + (last[0][1] != landing)
    today = config.yesterday() + dt.timedelta(days=1)
    end = warehouse.scalar(
        "select max(event_date) from staging.event_days where shape = 'orders' and event_date <= ?",
        [today],
    )
    zone = config.source.business_time_zone
    found = profile(warehouse, end if isinstance(end, dt.date) else None, drift.window_days, zone)
    found = found.assign(landing_number=number, landing_fingerprint=landing)
    warehouse.replace_slice(SOURCE_PROFILES, found, {"landing_number": number})
    for table in (SOURCE_PROFILES, SOURCE_DRIFT):
        warehouse.connection.execute(
            f"delete from {table.full_name} where landing_number <= ?", [number - KEPT_LANDINGS]
        )
    earlier = warehouse.frame(
        "select * from models.source_profiles where landing_number between ? and ?",
        [number - drift.compared_landings, number],
    )
    settings = drift.model_dump(exclude={"window_days"})
    compared = compare_profiles(earlier, number, **settings).assign(landing_number=number)
    warehouse.replace_slice(SOURCE_DRIFT, compared, {"landing_number": number})


@dg.multi_asset(
    specs=[
        asset_spec(LEDGER_CHANGES, [("marts", "fct_revenue_ledger")]),
        asset_spec(LEDGER_EVENTS, [("marts", "fct_revenue_ledger")]),
    ],
    name="ledger_changes",
    pool=POOL,
)
def ledger_changes(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Which days of the ledger late, corrected and withdrawn events changed since the last run."""
    config = clientela.config
    with clientela.warehouse() as warehouse:
        inputs: list[tuple[str, dt.date | None]] = [("dbt_core", None)]
        code = code_hash("dagster_project.ledger_memory", __name__)
        step = step_for(warehouse, LEDGER_CHANGES.full_name, None, inputs, None, code)
        if not begin(context, warehouse, step):
            kept = {
                LEDGER_CHANGES.full_name: counts_by_kind(changes_of(warehouse, step.fingerprint))
            }
            yield from results([LEDGER_CHANGES, LEDGER_EVENTS], None, kept)
            return
        landing = str(warehouse.scalar("select fingerprint from raw.landed_dataset"))
        today = config.yesterday() + dt.timedelta(days=1)
        changes = remember_ledger(warehouse, landing, step.fingerprint, context.run_id, today)
        tables = [LEDGER_CHANGES, LEDGER_EVENTS]
        measured = record(warehouse, step, context.run_id, tables)
    yield from results(tables, measured, {LEDGER_CHANGES.full_name: counts_by_kind(changes)})


def _warning(key: list[str], name: str, told: list[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=name,
        passed=not told,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"count": len(told), "found": "; ".join(told) or "nothing"},
    )


LANDING_QUALITY_ASSETS = [source_drift, ledger_changes]
QUALITY_ASSETS = [source_freshness, *LANDING_QUALITY_ASSETS]
