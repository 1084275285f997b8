"""Fitting lifetime value in three steps: read grouped rows, sample, store.

Add here what belongs to a fit. The middle step holds neither a connection nor the pool, because
sampling takes long and others may use the warehouse meanwhile; what a fit predicts is in
lifetime_value.py.
"""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd

from dagster_project.config import Config
from dagster_project.lineage import (
    asset_spec,
    code_hash,
    results,
    step_for,
)
from dagster_project.model_registry import Fit, is_refit_due, store, version_in_force
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.pictures import posterior_picture
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import MODEL_PARAMETERS, MODEL_VERSIONS

MODEL = "lifetime_value"
CODE = (
    "models_py.lifetime_value",
    "models_py.posterior",
    "models_py.order_statistics",
    "models_py.approximation",
    "models_py.frames",
    __name__,
)
STATISTICS = dg.AssetKey(["models", "lifetime_value_statistics"])
DRAWS = dg.AssetKey(["models", "lifetime_value_draws"])

PURCHASE_GROUPS = """
    select repeat_purchase_days_count as repeat_purchases_count, active_span_days, tenure_days,
        count(*) as customers_count
    from marts.fct_customer_features where as_of_date = ? and purchase_days_count >= 1
    group by all order by 1, 2, 3
"""
# The bins are those of models_py.lifetime_value.grouping; a test holds the two together.
SPEND_GROUPS = """
    select repeat_purchases_count, count(*) as customers_count,
        cast(sum(first_purchase_amount) as double) as first_amount_sum,
        cast(sum(repeat_purchase_amount) as double) as repeat_amount_sum,
        cast(sum(cast(first_purchase_log_amount as decimal(18, 9))) as double)
            as first_log_amount_sum,
        cast(sum(cast(purchase_log_amount_sum as decimal(18, 9))) as double) as log_amount_sum
    from (
        select *, repeat_purchase_days_count as repeat_purchases_count,
            floor(20 * ln(first_purchase_amount)) as first_bin,
            case when repeat_purchase_days_count > 0
                then floor(20 * ln(repeat_purchase_amount)) end as repeat_bin
        from marts.fct_customer_features where as_of_date = ? and purchase_days_count >= 1
    )
    group by repeat_purchases_count, first_bin, repeat_bin
    order by repeat_purchases_count, first_bin, repeat_bin
"""


def _folder(config: Config, as_of: dt.date) -> Path:
    return config.storage_path / "fits" / str(as_of)


def _settings(config: Config) -> dict[str, object]:
    return config.lifetime_value.model_dump(exclude={"refit_after_days"})


@dg.asset(
    key=STATISTICS,
    deps=[["marts", "fct_customer_features"]],
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
            warehouse, MODEL, as_of, [("dbt_features", as_of)], _settings(config), code_hash(*CODE)
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
        request = {"is_due": due, "fingerprint": step.fingerprint}
        if due:
            purchases = warehouse.frame(PURCHASE_GROUPS, [as_of])
            spend = warehouse.frame(SPEND_GROUPS, [as_of])
            purchases.to_parquet(folder / "purchases.parquet")
            spend.to_parquet(folder / "spend.parquet")
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
    folder = _folder(config, dt.date.fromisoformat(context.partition_key))
    if not json.loads((folder / "request.json").read_text())["is_due"]:
        return dg.MaterializeResult(metadata={"unchanged": True})
    from models_py.lifetime_value import LifetimeValue, Sampling

    settings = config.lifetime_value
    model = LifetimeValue(
        settings.horizons_days,
        settings.annual_discount_rate,
        draws_kept=settings.prediction_draws,
        sampling=Sampling(
            settings.inference, draws=settings.draws, tune=settings.tune, chains=settings.chains
        ),
        random_state=settings.random_state,
    ).fit(pd.read_parquet(folder / "purchases.parquet"), pd.read_parquet(folder / "spend.parquet"))
    draws = model.parameters_frame()
    draws.to_parquet(folder / "draws.parquet")
    (folder / "diagnostics.json").write_text(json.dumps(model.diagnostics_))
    picture = dg.MetadataValue.md(posterior_picture(draws))
    return dg.MaterializeResult(metadata={"posterior": picture, **_flat(model.diagnostics_)})


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
        )
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
            diagnostics, problems = _worst(by_model), _failed_gates(by_model, config)
            sizes = {k: request[k] for k in ("customers_count", "groups_count")}
            draws = pd.read_parquet(folder / "draws.parquet")
            fit = Fit(
                MODEL,
                as_of,
                request["fingerprint"],
                draws,
                problems,
                diagnostics | sizes | {"inference": _inference(by_model)},
                _settings(config),
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


def _failed_gates(by_model: dict[str, dict[str, float]], config: Config) -> list[str]:
    """What lies outside the gates of config.yml, in words."""
    from models_py.posterior import failed_gates

    limits = config.lifetime_value.gates
    gates = {
        "rhat_max": ("<=", limits.rhat_max),
        "ess_bulk_min": (">=", limits.ess_min),
        "ess_tail_min": (">=", limits.ess_min),
        "ebfmi_min": (">=", limits.ebfmi_min),
        "divergences": ("<=", limits.divergences_max),
        "k_hat": ("<=", limits.k_hat_max),
    }
    return [
        f"{model} {failure}"
        for model, found in by_model.items()
        for failure in failed_gates(found, gates)
    ]


def _worst(by_model: dict[str, dict[str, float]]) -> dict[str, float]:
    """The least healthy figure over the models of one fit that have it."""
    names = sorted({name for found in by_model.values() for name in found})
    worst = {
        name: (min if name.endswith("_min") else max)(
            found[name] for found in by_model.values() if name in found
        )
        for name in names
    }
    return {("k_hat_max" if name == "k_hat" else name): value for name, value in worst.items()}


def _inference(by_model: dict[str, dict[str, float]]) -> str:
    parts = {
        model: "importance" if "k_hat" in found else "nuts" for model, found in by_model.items()
    }
    return ", ".join(f"{model}: {how}" for model, how in sorted(parts.items()))


def _flat(by_model: dict[str, dict[str, float]]) -> dict[str, float]:
    return {f"{model} {k}": v for model, found in by_model.items() for k, v in found.items()}
