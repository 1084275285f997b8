"""Potential value of a date: gaps to comparable customers, and the share that counts as attainable.

Add the asset of another view of what customers could be worth here. Queries and rows are in
potential_value.py, statistics in models_py/segmentation.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from dagster_project import backtest_outcomes, potential_value, settings_potential
from dagster_project.lineage import (
    asset_spec,
    begin,
    code_hash,
    fingerprint,
    record,
    results,
    step_for,
)
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import (
    CUSTOMER_POTENTIAL,
    MICROSEGMENT_POTENTIAL,
    POTENTIAL_SHARES,
)

TABLES = [CUSTOMER_POTENTIAL, MICROSEGMENT_POTENTIAL, POTENTIAL_SHARES]
DEPS = [
    ("marts", "fct_customer_features"),
    ("marts", "fct_revenue_ledger"),
    ("predictions", "customer_ltv"),
    ("predictions", "customer_microsegments"),
]
CODE = (
    "models_py.segmentation.peers",
    "models_py.segmentation.comparison",
    "models_py.segmentation.difference",
    "models_py.segmentation.potential",
    "models_py.segmentation.scaling",
    "models_py.frames",
    "models_py.lifetime_value.refunds",
    backtest_outcomes.__name__,
    potential_value.__name__,
    settings_potential.__name__,
    __name__,
)


@dg.multi_asset(
    specs=[asset_spec(table, DEPS, AS_OF_DATES, ("python", "duckdb")) for table in TABLES],
    name="potential",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def potential(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Compare every buyer of the finished slice, and look at past dates whose horizon has ended."""
    from models_py.segmentation.comparison import compare
    from models_py.segmentation.peers import PeerRules

    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    settings = config.potential
    horizons = config.lifetime_value.horizons_days
    compared_by, told = potential_value.compared_by(config), potential_value.told(config)
    rules = PeerRules(
        tenure_edges_days=settings.tenure_bands_days,
        peers=settings.peers,
        floor=settings.floor_peers,
        quantile=settings.benchmark_quantile,
    )
    # A share of gaps that another comparison found is no share of today's.
    comparison_id = fingerprint(asdict(rules), compared_by)
    with clientela.warehouse() as warehouse:
        past = potential_value.past_slices(warehouse, as_of, comparison_id)
        step = step_for(
            warehouse,
            CUSTOMER_POTENTIAL.full_name,
            as_of,
            [("predictions.customer_ltv", as_of), ("predictions.customer_microsegments", as_of)],
            [settings.model_dump(), compared_by, told, horizons, past],
            code_hash(*CODE),
        )
        if not begin(context, warehouse, step):
            yield from results(TABLES, None)
            return
        frame = potential_value.frame_at(warehouse, config, as_of)
        value = potential_value.value_at(warehouse, as_of)
        potential_value.require_same_buyers(frame, value, len(horizons))
        predicted = value["predicted_revenue_mean"].to_numpy().reshape(len(horizons), -1).T
        compared, benchmark = compare(frame, compared_by, told, predicted, rules)
        days = [day for day, _ in past]
        shares = potential_value.measure_shares(
            warehouse, as_of, days, horizons, settings.assumed_share
        )
        customers = potential_value.customer_rows(frame, value, compared, benchmark, shares)
        told_shares = potential_value.share_rows(shares)
        version = value["model_version_id"].iloc[0] if len(value) else None
        frames = {
            CUSTOMER_POTENTIAL: customers,
            MICROSEGMENT_POTENTIAL: potential_value.microsegment_rows(customers, shares),
            POTENTIAL_SHARES: told_shares.assign(
                model_version_id=version, comparison_id=comparison_id
            ),
        }
        warehouse.replace_slices(
            [(table, rows.assign(as_of_date=as_of)) for table, rows in frames.items()],
            {"as_of_date": as_of},
        )
        measured = record(warehouse, step, context.run_id, TABLES)
    shown = told_shares[["horizon_days", "potential_basis", "attainable_share", "reason"]]
    extra = {"shares": dg.MetadataValue.md(shown.to_markdown(index=False))}
    yield from results(TABLES, measured, {POTENTIAL_SHARES.full_name: extra})
