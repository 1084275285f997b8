"""What running contracts will still pay, in mode contracts.

Add here what only subscriptions have. Renewals are modelled in
models_py/lifetime_value/contracts.py; the value of customers who may leave unseen is
lifetime_value.py.
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from dagster_project.config import Config
from dagster_project.fit_health import failed_gates, inference, worst
from dagster_project.lineage import Step, asset_spec, begin, code_hash, record, results, step_for
from dagster_project.model_registry import (
    Fit,
    is_refit_due,
    parameters_of,
    store,
    version_in_force,
)
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import CONTRACT_LTV
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.lifetime_value import ContractValue

MODEL = "contracts"
CODE = (
    "models_py.lifetime_value.contracts",
    "models_py.lifetime_value.contract_value",
    "models_py.lifetime_value.billing",
    "models_py.lifetime_value.customer_keys",
    "models_py.approximation",
    "models_py.threads",
    "models_py.posterior",
    "models_py.frames",
    __name__,
)
# As it was known on the day: later starts are absent, and a later end is unknown. Whoever counts
# nowhere as a customer does not count here.
KNOWN = """
    select contracts.contract_id, customers.customer_id, contracts.plan, contracts.started_on,
        case when contracts.ended_on <= {day} then contracts.ended_on end as ended_on,
        cast(contracts.period_amount as double) as period_amount,
        case
            when customers.customer_id is null then 'no customer record'
            when contracts.started_on is null then 'no start'
            when contracts.ended_on < contracts.started_on then 'an end before the start'
            when contracts.period_amount > 0 is not true then 'no amount above 0'
        end as left_out_because
    from staging.contracts as contracts
    left join identity.customers_map as customers
        on contracts.source_system = customers.source_system
        and contracts.source_record_id = customers.source_record_id
    left join marts.dim_customers as persons on customers.customer_id = persons.customer_id
    where coalesce(contracts.started_on <= {day}, true) and persons.is_test is not true
"""
CHECK = "contracts_fit_serves"
USED = "select * exclude (left_out_because) from ({known}) where left_out_because is null"
LEFT_OUT = (
    "select left_out_because, count(*) as contracts_count from ({known}) "
    "where left_out_because is not null group by left_out_because order by left_out_because"
)


@dg.multi_asset(
    specs=[
        asset_spec(
            CONTRACT_LTV,
            [
                ("staging", "contracts"),
                ("identity", "customers_map"),
                ("marts", "dim_customers"),
                ("models", "model_versions"),
                ("models", "model_parameters"),
            ],
            AS_OF_DATES,
        )
    ],
    name="contract_ltv",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    check_specs=[
        dg.AssetCheckSpec(
            CHECK,
            asset=CONTRACT_LTV.key,
            description="A fit of contracts that kept its gates serves the date; without one the "
            "slice is empty, which never stops a run.",
        )
    ],
    pool=POOL,
)
def contract_ltv(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Renewals and revenue of every contract begun; nothing where there are no contracts."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    with clientela.warehouse() as warehouse:
        known = KNOWN.format(day=f"date '{as_of}'")
        used = USED.format(known=known)
        told: dict[str, object] = {}
        unserved = ""
        if config.lifetime_value.mode != "contracts":
            why = "lifetime_value.mode in config.yml is not contracts"
            measured = _nothing(context, warehouse, as_of, why)
            told["skipped"] = why
        else:
            left_out = warehouse.frame(LEFT_OUT.format(known=known))
            for reason, count in left_out.itertuples(index=False):
                context.log.warning("%s contracts left out: %s", count, reason)
                told[f"left out: {reason}"] = int(count)
            if not warehouse.scalar(f"select count(*) from ({used})"):
                why = f"no usable contract had begun by {as_of}"
                measured = _nothing(context, warehouse, as_of, why)
                told["skipped"] = why
            else:
                # Only what was known counts, so that contracts delivered later leave past slices
                # alone.
                content = warehouse.measure(f"({used})", None)
                version, unserved = _version(context, warehouse, config, as_of, used, content)
                if unserved:
                    context.log.warning("no contract is valued: %s", unserved)
                    measured = _nothing(context, warehouse, as_of, unserved)
                    told["skipped"] = unserved
                else:
                    measured = _value(context, warehouse, config, as_of, used, content, version)
    yield from results([CONTRACT_LTV], measured, {CONTRACT_LTV.full_name: told})
    yield dg.AssetCheckResult(
        check_name=CHECK,
        asset_key=CONTRACT_LTV.key,
        passed=not unserved,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"reason": unserved or "none"},
    )


def _nothing(
    context: dg.AssetExecutionContext, warehouse: Warehouse, as_of: dt.date, why: str
) -> dict[str, tuple[int, str]] | None:
    """Leave the slice empty."""
    step = step_for(warehouse, CONTRACT_LTV.full_name, as_of, [], why, "")
    if not begin(context, warehouse, step):
        return None
    empty = pd.DataFrame(columns=CONTRACT_LTV.column_names)
    warehouse.replace_slice(CONTRACT_LTV, empty, {"as_of_date": as_of})
    return record(warehouse, step, context.run_id, [CONTRACT_LTV])


def _value(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    config: Config,
    as_of: dt.date,
    used: str,
    content: tuple[int, str],
    version: str,
) -> dict[str, tuple[int, str]] | None:
    settings = config.lifetime_value
    step = step_for(
        warehouse,
        CONTRACT_LTV.full_name,
        as_of,
        [],
        [version, content, settings.horizons_days, settings.annual_discount_rate, _told(config)],
        code_hash(*CODE),
    )
    if not begin(context, warehouse, step):
        return None
    from models_py.lifetime_value import ContractValue, group_contracts

    model = ContractValue.from_parameters(
        parameters_of(warehouse, version), **_model_settings(config)
    )
    oldest = warehouse.scalar(f"select min(started_on) from ({used})")
    assert isinstance(oldest, dt.date)
    status = {
        days: "extrapolated" if days > (as_of - oldest).days else "uncalibrated"
        for days in settings.horizons_days
    }

    def predict(batch: pd.DataFrame) -> dict[str, pd.DataFrame]:
        _, running = group_contracts(batch, as_of, settings.contract_period_days)
        value = _rows(batch, running, model, as_of)
        value["interval_status"] = value["horizon_days"].map(status)
        return {CONTRACT_LTV.full_name: value.assign(model_version_id=version)}

    warehouse.map_batches(f"{used} order by contract_id", predict, as_of, [CONTRACT_LTV])
    return record(warehouse, step, context.run_id, [CONTRACT_LTV])


def _rows(
    batch: pd.DataFrame, running: pd.DataFrame, model: "ContractValue", as_of: dt.date
) -> pd.DataFrame:
    """Every contract of the batch at every horizon; an ended one will pay nothing."""
    predicted, _ = model.predict(running, as_of)
    predicted = predicted.drop(columns="as_of_date").rename(
        columns={"renewal_probability": "retention_probability"}
    )
    rows = batch[["contract_id", "customer_id"]].merge(
        pd.DataFrame({"horizon_days": list(model.horizons_days)}), how="cross"
    )
    is_active = rows["contract_id"].isin(running["contract_id"])
    rows["contract_status"] = is_active.map({True: "active", False: "ended"})
    rows = rows.merge(predicted, on=["contract_id", "horizon_days"], how="left")
    for name in CONTRACT_LTV.column_names:
        if name.startswith(("retention", "predicted")):
            # A batch without a running contract has no predictions to read.
            values = rows[name] if name in rows else pd.Series(0.0, index=rows.index)
            rows[name] = values.where(is_active, 0.0)
    return rows.assign(as_of_date=as_of)


def _version(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    config: Config,
    as_of: dt.date,
    used: str,
    content: tuple[int, str],
) -> tuple[str, str]:
    """The fit that serves the date, made now when it is due; or why there is none.

    Orders are valued without contracts, so a shop whose contracts cannot be fitted yet must still
    have its date promoted.
    """
    told = _told(config)
    code = code_hash(*CODE)
    step: Step = step_for(warehouse, MODEL, as_of, [], [told, content], code)
    days = config.lifetime_value.refit_after_days
    problems: list[str] = []
    try:
        is_due = is_refit_due(context, warehouse, MODEL, as_of, step.fingerprint, days, told)
    except dg.Failure as none_left:  # the only fit there could be was rolled back
        return "", str(none_left.description)
    if is_due:
        from models_py.lifetime_value import ContractValue, group_contracts

        rows = warehouse.frame(f"{used} order by contract_id")
        groups, _ = group_contracts(rows, as_of, config.lifetime_value.contract_period_days)
        model = ContractValue(**_model_settings(config)).fit(groups)
        health = {MODEL: model.diagnostics_}
        problems = failed_gates(health, config)
        sizes = {"customers_count": rows["customer_id"].nunique(), "groups_count": len(groups)}
        fit = Fit(
            MODEL,
            as_of,
            step.fingerprint,
            model.parameters_frame(),
            problems,
            worst(health) | sizes | {"inference": inference(health)},
            told,
            content[1],
            code,
        )
        store(warehouse, fit)
        if problems:
            context.log.warning("%s was rejected: %s", fit.version_id, "; ".join(problems))
    try:
        return version_in_force(warehouse, MODEL, as_of)[0], ""
    except dg.Failure as none_in_force:
        return "", "; ".join([*problems, str(none_in_force.description)])


def _told(config: Config) -> dict[str, object]:
    """What a fit of contracts is told; a change of it asks for a refit."""
    names = {"contract_period_days", "prediction_draws", "random_state"}
    return config.lifetime_value.model_dump(include=names)


def _model_settings(config: Config) -> dict[str, object]:
    settings = config.lifetime_value
    return {
        "horizons_days": settings.horizons_days,
        "annual_discount_rate": settings.annual_discount_rate,
        "draws_kept": settings.prediction_draws,
        "random_state": settings.random_state,
    }
