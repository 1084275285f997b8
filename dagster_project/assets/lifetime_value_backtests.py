"""How past forecasts turned out, at every refit, as tables.

Add here what a backtest materializes. Which dates are tested is dagster_project/backtesting.py, the
measures are models_py/lifetime_value; values themselves are lifetime_value.py.
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from dagster_project import backtest_rejection, backtesting
from dagster_project.assets.lifetime_value_fit import CODE, MODEL
from dagster_project.config import Config
from dagster_project.lineage import asset_spec, begin, code_hash, record, results, step_for
from dagster_project.model_registry import parameters_of, predecessor, version_in_force
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.pictures_backtests import backtest_pictures
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import LTV_BACKTESTS, LTV_CALIBRATION, LTV_RECALIBRATION
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.lifetime_value import LifetimeValue

FEATURES = ("marts", "fct_customer_features")
TABLES = (LTV_BACKTESTS, LTV_CALIBRATION, LTV_RECALIBRATION)
BACKTEST_CODE = tuple(
    f"dagster_project.backtest_{name}"
    for name in ("run", "origins", "outcomes", "families", "verdict")
)


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
        for table in TABLES
    ],
    name="ltv_backtests",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    check_specs=[
        dg.AssetCheckSpec(
            "intervals_calibrated",
            asset=LTV_CALIBRATION.key,
            description="Share of randomised PIT in (0.05, 0.95) within 3 points of 0.90 on "
            "origins O; marks and widens the interval, never stops a run.",
        ),
        dg.AssetCheckSpec(
            "not_worse_than_baselines",
            asset=LTV_BACKTESTS.key,
            description="No baseline forecasts significantly better on origins O, neither than "
            "this fit nor than the fits in force then. A fit of this date that loses is rejected "
            "where the one before it does no worse; all else only warns.",
        ),
    ],
    pool=POOL,
)
def ltv_backtests(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """At every refit, forecasts from earlier dates against what happened since."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    horizons, families = config.lifetime_value.horizons_days, config.lifetime_value.families
    extra: dict[str, dict[str, object]] = {}
    with clientela.warehouse() as warehouse:
        version, fitted_on = version_in_force(warehouse, MODEL, as_of)
        if judged := backtest_rejection.judged_version(warehouse, as_of):
            version, fitted_on = judged, as_of
        earlier = predecessor(warehouse, version)
        due = backtesting.is_due(warehouse, as_of, fitted_on, horizons)
        origins = backtesting.origins(warehouse, as_of) if due else []
        versions = {day: version_in_force(warehouse, MODEL, day) for day in origins}
        step = step_for(
            warehouse,
            LTV_BACKTESTS.full_name,
            as_of,
            [("dbt_features", date) for date in [*origins, as_of]],
            [version, earlier, list(versions.values()), families],
            code_hash(*CODE, backtesting.__name__, *BACKTEST_CODE),
        )
        measured = None
        if begin(context, warehouse, step):
            from dagster_project.backtest_run import run
            from dagster_project.backtest_verdict import Judged

            found = run(
                warehouse,
                as_of,
                {day: name for day, (name, _) in versions.items()},
                lambda name: load_model(warehouse, name, config),
                horizons,
                families,
                Judged(version, earlier),
            )
            # Together: calibration of one backtest with corrections of another would pass for true.
            frames = (found.scores, found.calibration, found.recalibration)
            warehouse.replace_slices(list(zip(TABLES, frames, strict=True)), {"as_of_date": as_of})
            measured = record(warehouse, step, context.run_id, TABLES)
            pictures = backtest_pictures(found.evaluated, found.tracking)
            extra[LTV_BACKTESTS.full_name] = {
                name: dg.MetadataValue.md(picture) for name, picture in pictures.items()
            }
        status = backtesting.interval_status(warehouse, as_of, horizons)
        worse = backtest_rejection.worse_than(warehouse, as_of)
        then = backtest_rejection.worse_than(warehouse, as_of, backtest_rejection.OF_FITS_THEN)
        # An older fit has slices that stand on it: rejected now, they would be promoted without a
        # version, and the fit before it would be judged by the next slice, and so on.
        is_rejected = (
            bool(worse)
            and fitted_on == as_of
            and backtest_rejection.reject(warehouse, as_of, version, earlier, worse)
        )
        serving = version_in_force(warehouse, MODEL, as_of)[0]
    yield from results(TABLES, measured, extra)
    yield dg.AssetCheckResult(
        check_name="intervals_calibrated",
        asset_key=LTV_CALIBRATION.key,
        passed=set(status.values()) == {"calibrated"},
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"{horizon} days": found for horizon, found in status.items()},
    )
    yield dg.AssetCheckResult(
        check_name="not_worse_than_baselines",
        asset_key=LTV_BACKTESTS.key,
        passed=not worse and not then,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "reasons": "; ".join(worse) or "none",
            "of_fits_in_force_then": "; ".join(then) or "none",
            "rejected": is_rejected,
            "model_version_id": serving,
        },
    )
