"""Value of every customer and of the base at a date.

Add the asset of a new value table here. Models are models_py/lifetime_value, fitting is
lifetime_value_fit.py, how past forecasts turned out is lifetime_value_backtests.py.
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

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
from dagster_project.config import Config
from dagster_project.lineage import asset_spec, begin, code_hash, record, results, step_for
from dagster_project.model_registry import version_in_force
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.pictures import value_picture
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import (
    CUSTOMER_LTV,
    PORTFOLIO_LTV,
)
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.lifetime_value import Totals

# In a fixed order, because sums of doubles depend on it.
SUMS = """
    select as_of_date, horizon_days, count(*) as customers_count,
        list_sum(list(predicted_orders_mean order by customer_id)) as predicted_orders_mean,
        list_sum(list(predicted_revenue_mean order by customer_id)) as predicted_revenue_mean,
        sum(observed_revenue_amount) as observed_revenue_amount,
        case when count(observed_margin_amount) = count(*) then sum(observed_margin_amount) end
            as observed_margin_amount
    from predictions.customer_ltv where as_of_date = ? group by as_of_date, horizon_days
"""


@dg.multi_asset(
    specs=[
        asset_spec(
            table,
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
        for table in (CUSTOMER_LTV, PORTFOLIO_LTV)
    ],
    name="customer_ltv",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def customer_ltv(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Posterior predictive value of every customer, streamed; totals are summed draws."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    tables = [CUSTOMER_LTV, PORTFOLIO_LTV]
    with clientela.warehouse() as warehouse:
        version, _ = version_in_force(warehouse, MODEL, as_of)
        status = backtesting.interval_status(warehouse, as_of, config.lifetime_value.horizons_days)
        misses = {
            quantity: backtesting.past_blocks(
                warehouse, as_of, config.lifetime_value.horizons_days, quantity
            )
            for quantity in ("orders", "revenue")
        }
        corrections = backtesting.published_recalibration(warehouse, as_of)
        settings = config.lifetime_value.model_dump(exclude={"refit_after_days", "families"})
        step = step_for(
            warehouse,
            CUSTOMER_LTV.full_name,
            as_of,
            [("dbt_features", as_of)],
            [version, status, misses, corrections.to_dict("records"), settings],
            code_hash(*CODE, backtesting.__name__, __name__),
        )
        if not begin(context, warehouse, step):
            yield from results(tables, None)
            return
        from models_py.lifetime_value import Recalibration

        model = load_model(warehouse, version, config)
        recalibration = Recalibration.from_frame(corrections)
        totals: list[Totals] = []

        def predict(batch: pd.DataFrame) -> dict[str, pd.DataFrame]:
            value, batch_totals = model.predict_with_totals(
                batch, as_of, recalibration=recalibration
            )
            totals.append(batch_totals)
            context.log.info("%s customers predicted", sum(t.customers_count for t in totals))
            value["interval_status"] = value["horizon_days"].map(status)
            return {CUSTOMER_LTV.full_name: value.assign(model_version_id=version)}

        warehouse.map_batches(backtesting.batch_sql(as_of), predict, as_of, [CUSTOMER_LTV])
        portfolio = _portfolio(warehouse, config, as_of, totals, misses)
        portfolio = portfolio.assign(
            model_version_id=version, interval_status=portfolio["horizon_days"].map(status)
        )
        warehouse.replace_slice(PORTFOLIO_LTV, portfolio, {"as_of_date": as_of})
        measured = record(warehouse, step, context.run_id, tables)
    picture = dg.MetadataValue.md(value_picture(portfolio, config.source.reporting_currency))
    yield from results(tables, measured, {PORTFOLIO_LTV.full_name: {"value": picture}})


def _portfolio(
    warehouse: Warehouse,
    config: Config,
    as_of: dt.date,
    totals: "list[Totals]",
    misses: dict[str, dict[int, list[tuple[float, float]]]],
) -> pd.DataFrame:
    """Totals over the base: means are sums over customers, quantiles those of summed draws.

    The draws are widened by what past totals missed.
    """
    from models_py.lifetime_value import TotalDiscrepancy

    if not totals:
        return pd.DataFrame(columns=PORTFOLIO_LTV.column_names)
    total = totals[0]
    for batch in totals[1:]:
        total = total + batch
    rows = []
    for number, horizon in enumerate(config.lifetime_value.horizons_days):
        row: dict[str, object] = {"horizon_days": horizon}
        for quantity, blocks in misses.items():
            discrepancy = TotalDiscrepancy.learn(
                [actual for actual, _ in blocks[horizon]],
                [expected for _, expected in blocks[horizon]],
            )
            draws = getattr(total, quantity)[:, [number]]
            name = f"predicted_{quantity}"
            widened = discrepancy.summarise(draws, name, config.lifetime_value.random_state)
            row |= {key: values[0] for key, values in widened.items() if not key.endswith("mean")}
            row["discrepancy_blocks_count"] = discrepancy.blocks_count
        rows.append(row)
    return pd.DataFrame(rows).merge(warehouse.frame(SUMS, [as_of]), on="horizon_days")


LIFETIME_VALUE_ASSETS = [
    lifetime_value_statistics,
    lifetime_value_draws,
    lifetime_value_version,
    ltv_backtests,
    customer_ltv,
]
