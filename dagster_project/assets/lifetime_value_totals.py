"""Totals of value at a date: the base and what moved it, stages, micro-segments, cohorts.

Add the asset of a new table of sums here. Values of single customers are lifetime_value.py; how
draws are summed is value_totals.py, and how the change is split portfolio_change.py.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from dagster_project import backtesting, cohorts, model_drift, portfolio_change, value_totals
from dagster_project.assets.lifetime_value_backtests import load_model
from dagster_project.assets.lifetime_value_fit import CODE, MODEL
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
from dagster_project.model_registry import version_in_force
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.past_totals import past_totals, widenings
from dagster_project.pictures import value_picture
from dagster_project.pictures_of_totals import change_picture, cohort_picture
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import (
    COHORT_LTV,
    MICROSEGMENT_LTV,
    MODEL_DRIFT,
    PORTFOLIO_LTV,
    STAGE_LTV,
    ResultTable,
)
from dagster_project.warehouse import Warehouse

MODULES = (
    backtesting.__name__,
    cohorts.__name__,
    model_drift.__name__,
    "models_py.parameter_drift",
    portfolio_change.__name__,
    value_totals.__name__,
    past_totals.__module__,
    __name__,
)
TABLES = [PORTFOLIO_LTV, STAGE_LTV, MICROSEGMENT_LTV, COHORT_LTV, MODEL_DRIFT]
DEPS = [
    ("predictions", "customer_ltv"),
    ("predictions", "customer_lifecycle"),
    ("predictions", "customer_microsegments"),
    ("predictions", "microsegments"),
    ("predictions", "ltv_backtests"),
    ("models", "model_parameters"),
]
VALUE = "predictions.customer_ltv"
SEGMENTS = "predictions.customer_microsegments"
STAGES = "select microsegment_key, stage from predictions.microsegments where as_of_date = ?"


@dg.multi_asset(
    specs=[
        *(asset_spec(table, DEPS, AS_OF_DATES) for table in TABLES if table != COHORT_LTV),
        asset_spec(
            COHORT_LTV,
            [*DEPS, ("marts", "dim_customers"), ("marts", "fct_revenue_ledger")],
            AS_OF_DATES,
        ),
    ],
    name="ltv_totals",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def ltv_totals(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Sum the draws of all customers by group, and say why the whole moved."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    with clientela.warehouse() as warehouse:
        version, _ = version_in_force(warehouse, MODEL, as_of)
        before, version_before = portfolio_change.previous_slice(warehouse, as_of)
        model = load_model(warehouse, version, config)
        past = past_totals(warehouse, as_of)
        step = step_for(
            warehouse,
            PORTFOLIO_LTV.full_name,
            as_of,
            [(VALUE, as_of), (SEGMENTS, as_of)],
            [
                [version, past, config.value.acquisition_cost_by_channel],
                [before, before and recorded_fingerprint(warehouse, VALUE, before)],
            ],
            code_hash(*CODE, *MODULES),
        )
        if not begin(context, warehouse, step):
            yield from results(TABLES, None)
            return
        has_other = version_before not in (None, version)
        earlier = load_model(warehouse, str(version_before), config) if has_other else None
        sums = value_totals.sum_draws(warehouse, as_of, model, before, earlier)
        learned = widenings(past, as_of, model.horizons_days, sums, model.random_state)
        frames = {
            name: value_totals.group_rows(
                warehouse, as_of, name, sums, model.horizons_days, learned, model.random_state
            )
            for name in value_totals.GROUPINGS
        }
        written = _tables(warehouse, config, as_of, before, sums, frames)
        written[MODEL_DRIFT] = (
            model_drift.drift_between(
                warehouse,
                str(version_before),
                version,
                frames["portfolio"],
                sums,
                model.horizons_days,
            )
            if has_other
            else model_drift.no_drift()
        )
        for table, rows in written.items():
            rows = rows.assign(as_of_date=as_of, model_version_id=version)
            warehouse.replace_slice(table, rows, {"as_of_date": as_of})
        measured = record(warehouse, step, context.run_id, TABLES)
    yield from results(TABLES, measured, _pictures(written, config.source.reporting_currency))


def _tables(
    warehouse: Warehouse,
    config: Config,
    as_of: dt.date,
    before: dt.date | None,
    sums: value_totals.Sums,
    frames: dict[str, pd.DataFrame],
) -> dict[ResultTable, pd.DataFrame]:
    """The summed groups with what only one table has: the change, stages, ages and costs."""
    horizons = config.lifetime_value.horizons_days
    change = portfolio_change.split(warehouse, as_of, before, horizons, sums.earlier_model)
    curves = cohorts.observed(warehouse, as_of, config.value.acquisition_cost_by_channel)
    segments = frames["microsegment"].rename(columns={"microsegment": "microsegment_key"})
    return {
        PORTFOLIO_LTV: frames["portfolio"].merge(change, on="horizon_days"),
        STAGE_LTV: frames["stage"],
        MICROSEGMENT_LTV: segments.merge(warehouse.frame(STAGES, [as_of]), how="left"),
        COHORT_LTV: cohorts.cohort_rows(curves, frames["cohort"]),
    }


def _pictures(
    written: dict[ResultTable, pd.DataFrame], currency: str
) -> dict[str, dict[str, object]]:
    portfolio = written[PORTFOLIO_LTV]
    pictures = {
        PORTFOLIO_LTV: {
            "value": value_picture(portfolio, currency),
            "change since the slice before": change_picture(portfolio, currency),
        },
        COHORT_LTV: {"value by age": cohort_picture(written[COHORT_LTV], currency)},
    }
    pictures[MODEL_DRIFT] = {"drift": model_drift.told(written[MODEL_DRIFT])}
    return {
        table.full_name: {name: dg.MetadataValue.md(text) for name, text in shown.items()}
        for table, shown in pictures.items()
    }
