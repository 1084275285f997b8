"""Value of every customer and of the base at a date, and how past forecasts turned out.

Add the asset of a new value table here. Models are models_py/lifetime_value, fitting is
lifetime_value_fit.py.
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from dagster_project import backtesting
from dagster_project.assets.lifetime_value_fit import (
    CODE,
    MODEL,
    lifetime_value_draws,
    lifetime_value_statistics,
    lifetime_value_version,
)
from dagster_project.config import Config
from dagster_project.lineage import asset_spec, begin, code_hash, record, results, step_for
from dagster_project.model_registry import parameters_of, version_in_force
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import (
    CUSTOMER_LTV,
    LTV_BACKTESTS,
    LTV_CALIBRATION,
)
from dagster_project.tiers import rank_customers
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.lifetime_value import LifetimeValue

FEATURES = ("marts", "fct_customer_features")


def load_model(warehouse: Warehouse, version: str, config: Config) -> "LifetimeValue":
    """The fitted model of a version, with the settings of config.yml."""
    from models_py.lifetime_value import LifetimeValue

    settings = config.lifetime_value
    return LifetimeValue.from_parameters(
        parameters_of(warehouse, version),
        horizons_days=settings.horizons_days,
        annual_discount_rate=settings.annual_discount_rate,
        random_state=settings.random_state,
    )


@dg.multi_asset(
    specs=[
        asset_spec(
            table,
            [FEATURES, ("marts", "fct_revenue_ledger"), ("models", "model_parameters")],
            AS_OF_DATES,
            ("python", "pymc"),
        )
        for table in (LTV_BACKTESTS, LTV_CALIBRATION)
    ],
    name="ltv_backtests",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    check_specs=[
        dg.AssetCheckSpec(
            "intervals_calibrated",
            asset=LTV_CALIBRATION.key,
            description="Share of randomised PIT in (0.05, 0.95) within 3 points of 0.90; marks "
            "the interval, never stops a run.",
        )
    ],
    pool=POOL,
)
def ltv_backtests(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """At every refit, forecasts from earlier dates against what happened since."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    tables = [LTV_BACKTESTS, LTV_CALIBRATION]
    with clientela.warehouse() as warehouse:
        version, fitted_on = version_in_force(warehouse, MODEL, as_of)
        horizons = config.lifetime_value.horizons_days
        due = backtesting.is_due(warehouse, as_of, fitted_on, horizons)
        origins = backtesting.origins(warehouse, as_of) if due else []
        step = step_for(
            warehouse,
            LTV_BACKTESTS.full_name,
            as_of,
            [("dbt_features", date) for date in [*origins, as_of]],
            [version, [version_in_force(warehouse, MODEL, origin) for origin in origins]],
            code_hash(*CODE, backtesting.__name__),
        )
        measured = None
        if begin(context, warehouse, step):
            scores, calibration = backtesting.run(
                warehouse,
                as_of,
                {origin: version_in_force(warehouse, MODEL, origin)[0] for origin in origins},
                lambda name: load_model(warehouse, name, config),
            )
            warehouse.replace_slice(LTV_BACKTESTS, scores, {"as_of_date": as_of})
            warehouse.replace_slice(LTV_CALIBRATION, calibration, {"as_of_date": as_of})
            measured = record(warehouse, step, context.run_id, tables)
        status = backtesting.interval_status(warehouse, as_of, horizons)
    yield from results(tables, measured)
    yield dg.AssetCheckResult(
        check_name="intervals_calibrated",
        asset_key=LTV_CALIBRATION.key,
        passed=set(status.values()) == {"calibrated"},
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"{horizon} days": found for horizon, found in status.items()},
    )


@dg.multi_asset(
    specs=[
        asset_spec(
            CUSTOMER_LTV,
            [
                FEATURES,
                ("models", "model_versions"),
                ("models", "model_parameters"),
                ("predictions", "ltv_calibration"),
                ("predictions", "ltv_backtests"),
            ],
            AS_OF_DATES,
            ("python", "pymc", "duckdb"),
        )
    ],
    name="customer_ltv",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def customer_ltv(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Posterior predictive value of every customer, streamed; then their rank and tier."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    tables = [CUSTOMER_LTV]
    with clientela.warehouse() as warehouse:
        version, _ = version_in_force(warehouse, MODEL, as_of)
        status = backtesting.interval_status(warehouse, as_of, config.lifetime_value.horizons_days)
        settings = config.lifetime_value.model_dump(exclude={"refit_after_days"})
        # As pairs: the order of tiers counts, and a fingerprint sorts keys.
        tiers = [config.tier_horizon_days, list(config.value.tiers.items())]
        step = step_for(
            warehouse,
            CUSTOMER_LTV.full_name,
            as_of,
            [("dbt_features", as_of)],
            [version, status, settings, tiers],
            code_hash(*CODE, backtesting.__name__, "dagster_project.tiers", __name__),
        )
        if not begin(context, warehouse, step):
            yield from results(tables, None)
            return
        model = load_model(warehouse, version, config)
        predicted = 0

        def predict(batch: pd.DataFrame) -> dict[str, pd.DataFrame]:
            nonlocal predicted
            value = model.predict(batch, as_of)
            predicted += len(batch)
            context.log.info("%s customers predicted", predicted)
            value["interval_status"] = value["horizon_days"].map(status)
            value = value.assign(model_version_id=version, value_rank=None, value_tier=None)
            return {CUSTOMER_LTV.full_name: value}

        warehouse.map_batches(backtesting.batch_sql(as_of), predict, as_of, [CUSTOMER_LTV])
        rank_customers(warehouse, as_of, config.tier_horizon_days, config.value.tiers)
        measured = record(warehouse, step, context.run_id, tables)
    yield from results(tables, measured)


LIFETIME_VALUE_ASSETS = [
    lifetime_value_statistics,
    lifetime_value_draws,
    lifetime_value_version,
    ltv_backtests,
    customer_ltv,
]
