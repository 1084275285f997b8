"""Movement of customers between promoted dates, and the sizes of segments to come.

Add the asset of another table of movement here. Counts are made in SQL (migration_counts.py), rates
and forecasts in models_py/segmentation.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import numpy as np
import pandas as pd

from dagster_project import migration_counts
from dagster_project.config import Config
from dagster_project.lineage import (
    asset_spec,
    begin,
    code_hash,
    record,
    recorded_fingerprint,
    results,
    step_for,
)
from dagster_project.migration_counts import BEHAVIOUR, LEVELS, PERIODS
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.pictures_of_migrations import migration_picture
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import SEGMENT_MIGRATION_FORECASTS, SEGMENT_MIGRATIONS
from dagster_project.warehouse import Warehouse

SEGMENTS = "predictions.customer_microsegments"
TABLES = [SEGMENT_MIGRATIONS, SEGMENT_MIGRATION_FORECASTS]
DEPS = [
    ("predictions", "customer_microsegments"),
    ("predictions", "microsegments"),
    ("predictions", "customer_ltv"),
    ("identity", "superseded"),
]
CODE = ("models_py.segmentation", "models_py.frames", migration_counts.__name__, __name__)
AHEAD = (1, 3, 6)
MAX_PAST_PERIODS = 60
PAST = f"""
    select as_of_date, cause, from_key, to_key, customers_count
    from {SEGMENT_MIGRATIONS.full_name}
    where period = ? and level = ? and as_of_date < ?
    and as_of_date in (select as_of_date from models.promoted_dates where is_promoted)
    and as_of_date in (
        select distinct as_of_date from {SEGMENT_MIGRATIONS.full_name}
        where period = ? and as_of_date < ? order by as_of_date desc limit {MAX_PAST_PERIODS}
    )
"""
CATALOGUE = """
    select microsegment_key as key, any_value(stage) as stage from (
        select microsegment_key, stage from predictions.microsegments where as_of_date = ?
        union all
        select microsegment_key, stage from predictions.customer_microsegments where as_of_date = ?
    ) as known group by microsegment_key order by microsegment_key
"""
# A forecast learns from the counts of all earlier dates, so it is made again when these are.
LEARNED_FROM = f"""
    select as_of_date, input_fingerprint from models.table_lineage
    join models.promoted_dates using (as_of_date)
    where is_promoted and table_name = '{SEGMENT_MIGRATIONS.full_name}' and as_of_date < ?
    order by as_of_date
"""


@dg.multi_asset(
    specs=[asset_spec(table, DEPS, AS_OF_DATES) for table in TABLES],
    name="segment_migrations",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def segment_migrations(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Who went where since earlier promoted dates and why, and what sizes that leads to."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    with clientela.warehouse() as warehouse:
        promoted = migration_counts.promoted_before(warehouse, as_of)
        periods = migration_counts.periods_ending(as_of, promoted)
        before = {
            str(day): recorded_fingerprint(warehouse, SEGMENTS, day)
            for day in promoted
            if periods and day >= min(periods.values())
        }
        step = step_for(
            warehouse,
            SEGMENT_MIGRATIONS.full_name,
            as_of,
            [(SEGMENTS, as_of), ("predictions.customer_ltv", as_of)],
            [
                [before, warehouse.frame(LEARNED_FROM, [as_of]).astype(str).to_dict("list")],
                [config.lifecycle.horizon_days, config.segmentation.random_state],
            ],
            code_hash(*CODE),
        )
        if not begin(context, warehouse, step):
            yield from results(TABLES, None)
            return
        version = warehouse.scalar(
            "select min(model_version_id) from predictions.customer_microsegments "
            "where as_of_date = ?",
            [as_of],
        )
        moves, forecasts = _moves(warehouse, config, as_of, periods), []
        for period in [period for period in PERIODS if period in periods]:
            for level in LEVELS:
                forecasts.append(_forecast(warehouse, config, as_of, period, level, moves))
        frames = {
            SEGMENT_MIGRATIONS: moves,
            SEGMENT_MIGRATION_FORECASTS: _together(forecasts, SEGMENT_MIGRATION_FORECASTS),
        }
        warehouse.replace_slices(
            [
                (table, frame.assign(as_of_date=as_of, model_version_id=version))
                for table, frame in frames.items()
            ],
            {"as_of_date": as_of},
        )
        measured = record(warehouse, step, context.run_id, TABLES)
    shown = {"movement": dg.MetadataValue.md(migration_picture(moves))} if periods else {}
    yield from results(TABLES, measured, {SEGMENT_MIGRATIONS.full_name: shown})


def _moves(
    warehouse: Warehouse, config: Config, as_of: dt.date, periods: dict[str, dt.date]
) -> pd.DataFrame:
    from models_py.segmentation.migration import migration_rates

    pieces = []
    for period, start in periods.items():
        for level in LEVELS:
            counted = migration_counts.count_moves(
                warehouse, start, as_of, level, config.lifecycle.horizon_days
            )
            counted["from_group"] = "all" if level == "stage" else counted["from_stage"]
            for cause, rows in counted.groupby("cause", sort=True):
                rated = migration_rates(rows)
                if cause != BEHAVIOUR:
                    rated[[name for name in rated if name.startswith("probability")]] = np.nan
                pieces.append(rated.assign(period=period, from_date=start, level=level))
    return _together(pieces, SEGMENT_MIGRATIONS)


def _forecast(
    warehouse: Warehouse,
    config: Config,
    as_of: dt.date,
    period: str,
    level: str,
    moves: pd.DataFrame,
) -> pd.DataFrame:
    """Sizes after 1, 3 and 6 more periods of one length, from all such periods so far."""
    from models_py.segmentation import STAGES
    from models_py.segmentation.migration_forecast import LEARNED_PERIODS, MigrationForecast
    from models_py.segmentation.migration_history import past_counts

    here = moves[(moves["period"] == period) & (moves["level"] == level)]
    past = warehouse.frame(PAST, [period, level, as_of, period, as_of])
    past = pd.concat([past, here.assign(as_of_date=as_of)[list(past.columns)]], ignore_index=True)
    past["as_of_date"] = pd.to_datetime(past["as_of_date"])
    if level == "stage":
        keys = pd.DataFrame({"key": STAGES, "stage": STAGES})
    else:
        keys = warehouse.frame(CATALOGUE, [as_of, as_of])
    names = keys["key"].tolist()
    counts, arrivals = past_counts(past, names)
    sizes = here[here["cause"] != BEHAVIOUR].groupby("to_key")["customers_count"].sum()
    now = sizes.reindex(names, fill_value=0).to_numpy("int64")
    seed = [config.segmentation.random_state, as_of.toordinal(), PERIODS.index(period)]
    model = MigrationForecast(random_state=[*seed, list(LEVELS).index(level)])
    model.fit(names, keys["stage"].tolist(), counts, arrivals)
    drawn = model.simulate(now, AHEAD)  # (draw, ahead, key)
    status = "few_past_periods" if len(counts) < LEARNED_PERIODS else "learned"
    return pd.concat(
        keys.assign(
            period=period,
            level=level,
            periods_ahead=ahead,
            target_date=migration_counts.date_ahead(as_of, period, ahead),
            customers_count=now,
            customers_mean=drawn[:, number].mean(axis=0),
            customers_p05=np.quantile(drawn[:, number], 0.05, axis=0),
            customers_p95=np.quantile(drawn[:, number], 0.95, axis=0),
            past_periods_count=len(counts),
            forecast_status=status,
        )
        for number, ahead in enumerate(AHEAD)
    )


def _together(pieces: list[pd.DataFrame], table: object) -> pd.DataFrame:
    if pieces:
        return pd.concat(pieces, ignore_index=True)
    return pd.DataFrame(columns=table.column_names)  # type: ignore[attr-defined]
