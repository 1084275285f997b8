"""Value of every customer and of the base at a date.

Add the asset of a new value table here. Models are models_py/lifetime_value, fitting is
lifetime_value_fit.py, how past forecasts turned out is lifetime_value_backtests.py.
"""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from dagster_project import backtesting
from dagster_project.assets.lifetime_value_backtests import FEATURES, load_model, ltv_backtests
from dagster_project.assets.lifetime_value_fit import (
    CODE,
    MODEL,
    lifetime_value_draws,
    lifetime_value_statistics,
    lifetime_value_version,
)
from dagster_project.lineage import asset_spec, begin, code_hash, record, results, step_for
from dagster_project.model_registry import version_in_force
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import CUSTOMER_LTV
from dagster_project.tiers import rank_customers


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
        corrections = backtesting.published_recalibration(warehouse, as_of)
        settings = config.lifetime_value.of_purchases()
        # As pairs: the order of tiers counts, and a fingerprint sorts keys.
        tiers = [config.tier_horizon_days, list(config.value.tiers.items())]
        step = step_for(
            warehouse,
            CUSTOMER_LTV.full_name,
            as_of,
            [("dbt_features", as_of)],
            [version, status, settings, tiers, corrections.to_dict("records")],
            code_hash(*CODE, backtesting.__name__, "dagster_project.tiers", __name__),
        )
        if not begin(context, warehouse, step):
            yield from results(tables, None)
            return
        from models_py.lifetime_value import Recalibration

        model = load_model(warehouse, version, config)
        recalibration = Recalibration.from_frame(corrections)
        predicted = 0

        def predict(batch: pd.DataFrame) -> dict[str, pd.DataFrame]:
            nonlocal predicted
            value = model.predict(batch, as_of, recalibration=recalibration)
            predicted += len(batch)
            context.log.info("%s customers predicted", predicted)
            value["interval_status"] = value["horizon_days"].map(status)
            value = value.assign(model_version_id=version, value_rank=None, value_tier=None)
            return {CUSTOMER_LTV.full_name: value}

        warehouse.map_batches(
            backtesting.batch_sql(as_of, model.covariates), predict, as_of, [CUSTOMER_LTV]
        )
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
