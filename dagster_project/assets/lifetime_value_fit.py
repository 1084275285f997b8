"""Fitting lifetime value in three steps: read grouped rows, sample, store.

Add here what belongs to a fit. The middle step holds neither a connection nor the pool, because
sampling takes long and others may use the warehouse meanwhile; what a fit predicts is in
lifetime_value.py.
"""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from dagster_project.backtesting import selected_family
from dagster_project.config import Config
from dagster_project.fit_health import failed_gates, flat, inference, worst
from dagster_project.lifetime_value_statistics import (
    OPTIONAL_PARTS,
    SPEND_GROUPS,
    WEEKLY_PURCHASES,
    purchase_groups,
)
from dagster_project.lineage import (
    asset_spec,
    code_hash,
    recorded_fingerprint,
    results,
    step_for,
)
from dagster_project.model_registry import Fit, is_refit_due, store, version_in_force
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.pictures import posterior_picture
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import MODEL_PARAMETERS, MODEL_VERSIONS

if TYPE_CHECKING:
    from models_py.lifetime_value import OperationalClock

MODEL = "lifetime_value"
CODE = (
    "models_py.lifetime_value",
    "models_py.posterior",
    "models_py.approximation",
    "models_py.threads",
    "models_py.frames",
    "dagster_project.lifetime_value_statistics",
    __name__,
)
STATISTICS = dg.AssetKey(["models", "lifetime_value_statistics"])
DRAWS = dg.AssetKey(["models", "lifetime_value_draws"])

# Below this share of net revenue with known cost, what is known says little of the rest.
FEWEST_COSTS_KNOWN = 0.5


def _folder(config: Config, as_of: dt.date) -> Path:
    return config.storage_path / "fits" / str(as_of)


def _settings(config: Config) -> dict[str, object]:
    return config.lifetime_value.of_purchases()


@dg.asset(
    key=STATISTICS,
    deps=[["marts", "fct_customer_features"], ["marts", "fct_revenue_ledger"]],
    group_name="models",
    kinds={"sql", "parquet"},
    owners=["team:clientela"],
    description="Grouped sufficient statistics as Parquet, when this date is due for a fit.",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def lifetime_value_statistics(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> dg.MaterializeResult:
    """Group customers by what the likelihoods depend on, so a fit costs what the variety costs."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    folder = _folder(config, as_of)
    folder.mkdir(parents=True, exist_ok=True)
    with clientela.warehouse() as warehouse:
        step = step_for(
            warehouse,
            MODEL,
            as_of,
            [("dbt_features", as_of)],
            [_settings(config), selected_family(warehouse, as_of, config.lifetime_value.families)],
            code_hash(*CODE),
        )
        due = is_refit_due(
            context,
            warehouse,
            MODEL,
            as_of,
            step.fingerprint,
            config.lifetime_value.refit_after_days,
            _settings(config),
        )
        family = selected_family(warehouse, as_of, config.lifetime_value.families)
        request = {
            "is_due": due,
            "fingerprint": step.fingerprint,
            "purchase_model": family,
            "data_hash": recorded_fingerprint(warehouse, "dbt_features", as_of),
            "code_hash": code_hash(*CODE),
        }
        if due:
            wanted = config.lifetime_value
            groups = purchase_groups(wanted.pool_by, wanted.covariates)
            purchases = warehouse.frame(groups, [as_of])
            spend = warehouse.frame(SPEND_GROUPS, [as_of])
            purchases.to_parquet(folder / "purchases.parquet")
            spend.to_parquet(folder / "spend.parquet")
            weeks = warehouse.frame(WEEKLY_PURCHASES, [as_of])
            weeks.to_parquet(folder / "weekly_purchases.parquet")
            for name, sql in OPTIONAL_PARTS.items():
                warehouse.frame(sql, [as_of]).to_parquet(folder / f"{name}.parquet")
            request |= {
                "customers_count": int(purchases["customers_count"].sum()),
                "groups_count": len(purchases) + len(spend),
            }
    (folder / "request.json").write_text(json.dumps(request))
    return dg.MaterializeResult(metadata=request if due else {"unchanged": True})


@dg.asset(
    key=DRAWS,
    deps=[STATISTICS],
    group_name="models",
    kinds={"pymc", "parquet"},
    owners=["team:clientela"],
    description="Thinned posterior draws as Parquet, sampled when the date is due for a fit.",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
)
def lifetime_value_draws(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> dg.MaterializeResult:
    """Sample purchases and spend; no connection and no pool."""
    config = clientela.config
    as_of = dt.date.fromisoformat(context.partition_key)
    folder = _folder(config, as_of)
    request = json.loads((folder / "request.json").read_text())
    if not request["is_due"]:
        return dg.MaterializeResult(metadata={"unchanged": True})
    from models_py.lifetime_value import LifetimeValue, Sampling, stated_priors

    settings = config.lifetime_value
    clock, season = _clock(folder, settings.seasonality)
    model = LifetimeValue(
        settings.horizons_days,
        settings.annual_discount_rate,
        purchase_model=request["purchase_model"],
        draws_kept=settings.prediction_draws,
        sampling=Sampling(
            settings.inference, draws=settings.draws, tune=settings.tune, chains=settings.chains
        ),
        random_state=settings.random_state,
    ).fit(
        pd.read_parquet(folder / "purchases.parquet"),
        pd.read_parquet(folder / "spend.parquet"),
        **_optional_parts(folder),
        clock=clock,
        as_of_date=as_of,
        covariates=settings.covariates,
    )
    draws = model.parameters_frame()
    draws.to_parquet(folder / "draws.parquet")
    (folder / "diagnostics.json").write_text(json.dumps(model.diagnostics_))
    (folder / "priors.json").write_text(json.dumps(stated_priors(model)))
    (folder / "season.txt").write_text(season)
    picture = dg.MetadataValue.md(posterior_picture(draws))
    return dg.MaterializeResult(
        metadata={
            "posterior": picture,
            "season": season,
            "covariates": ", ".join(model.design_.terms) if model.design_ else "none",
            **flat(model.diagnostics_),
        }
    )


def _clock(folder: Path, seasonality: str) -> "tuple[OperationalClock | None, str]":
    """The season's clock for this fit, if any, and the words for its record."""
    from models_py.lifetime_value import find_clock

    if seasonality == "off":
        return None, "calendar: switched off"
    return find_clock(pd.read_parquet(folder / "weekly_purchases.parquet"))


def _optional_parts(folder: Path) -> dict[str, pd.DataFrame]:
    """Statistics of what is known beyond purchases and amounts; margins when most costs are."""
    parts = {name: pd.read_parquet(folder / f"{name}.parquet") for name in OPTIONAL_PARTS}
    spend = pd.read_parquet(folder / "spend.parquet")
    money = spend["first_amount_sum"].sum() + spend["repeat_amount_sum"].sum()
    margin = parts["margin_groups"]
    if margin["revenue_sum"].sum() < FEWEST_COSTS_KNOWN * money or margin["orders_count"].sum() < 2:
        del parts["margin_groups"]
    if parts["refund_lags"]["ordered_amount_sum"].sum() <= 0:
        del parts["refund_lags"]
    return parts


@dg.multi_asset(
    specs=[
        asset_spec(MODEL_VERSIONS, [DRAWS.path], AS_OF_DATES),
        asset_spec(MODEL_PARAMETERS, [DRAWS.path], AS_OF_DATES),
    ],
    name="lifetime_value_version",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    check_specs=[
        dg.AssetCheckSpec(
            "sampling_converged",
            asset=MODEL_VERSIONS.key,
            blocking=True,
            description="Weights (Pareto k) or chains (R-hat and others) keep the gates.",
        ),
        dg.AssetCheckSpec(
            "spend_calibrated",
            asset=MODEL_VERSIONS.key,
            description="87 to 93 % of last orders lie in their central 90 % interval given the "
            "orders before; marks the fit, never stops a run.",
        ),
    ],
    pool=POOL,
)
def lifetime_value_version(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Store the draws as a model version; one that fails a gate is kept, rejected, and stops the
    run.
    """
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    folder = _folder(config, as_of)
    request = json.loads((folder / "request.json").read_text())
    problems: list[str] = []
    diagnostics: dict[str, float] = {}
    with clientela.warehouse() as warehouse:
        if request["is_due"]:
            by_model = json.loads((folder / "diagnostics.json").read_text())
            diagnostics, problems = worst(by_model), failed_gates(by_model, config)
            sizes = {k: request[k] for k in ("customers_count", "groups_count")}
            draws = pd.read_parquet(folder / "draws.parquet")
            fit = Fit(
                MODEL,
                as_of,
                request["fingerprint"],
                draws,
                problems,
                diagnostics
                | sizes
                | {
                    "inference": inference(by_model),
                    "season": (folder / "season.txt").read_text(),
                },
                _settings(config),
                request["data_hash"],
                request["code_hash"],
                json.loads((folder / "priors.json").read_text()),
            )
            version = store(warehouse, fit)
        else:
            version = version_in_force(warehouse, MODEL, as_of)[0]
        tables = [MODEL_VERSIONS, MODEL_PARAMETERS]
        measured = (
            {table.full_name: warehouse.measure(table.full_name, None) for table in tables}
            if request["is_due"]
            else None
        )
    extra = {MODEL_VERSIONS.full_name: {"model_version_id": version, **diagnostics}}
    yield from results(tables, measured, extra)
    yield dg.AssetCheckResult(
        check_name="sampling_converged",
        asset_key=MODEL_VERSIONS.key,
        passed=not problems,
        metadata={"version": version, "problems": "; ".join(problems) or "none"},
    )
    yield dg.AssetCheckResult(
        check_name="spend_calibrated",
        asset_key=MODEL_VERSIONS.key,
        passed=diagnostics.get("spend_calibrated", 1.0) == 1.0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            name: diagnostics[name]
            for name in ("spend_pit_share", "spend_pit_distance")
            if name in diagnostics
        },
    )
