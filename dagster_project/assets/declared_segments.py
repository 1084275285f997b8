"""Who is in the ready-made segments and in those of config.yml, for every date.

Add here what a run does with declared segments. What they are, and how rules are checked and
evaluated, is in dagster_project/declared_segments; segments found by clustering are in segments.py.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from dagster_project.declared_segments.definitions import checker_for, declared_segments
from dagster_project.declared_segments.memberships import SegmentFailedError, evaluate
from dagster_project.lineage import asset_spec, begin, code_hash, record, results, step_for
from dagster_project.partitions import AS_OF_DATES, ONE_RUN_PER_DATE
from dagster_project.pictures_of_quadrant import QUADRANT, quadrant_picture
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import CUSTOMER_SEGMENT_MEMBERSHIPS, SEGMENT_DEFINITIONS

TABLES = [SEGMENT_DEFINITIONS, CUSTOMER_SEGMENT_MEMBERSHIPS]
CODE = ("dagster_project.declared_segments", __name__)
SHOWN = ["segment", "kind", "status", "customers_count", "customers_share", "reason"]


@dg.multi_asset(
    specs=[
        asset_spec(table, [("serving", "customer_360_by_date")], AS_OF_DATES) for table in TABLES
    ],
    name="customer_segments",
    partitions_def=AS_OF_DATES,
    backfill_policy=ONE_RUN_PER_DATE,
    pool=POOL,
)
def customer_segments(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Evaluate every declared rule over the customers of the date, attributes as known today."""
    as_of = dt.date.fromisoformat(context.partition_key)
    config = clientela.config
    segments, horizon = declared_segments(config), config.tier_horizon_days
    with clientela.warehouse() as warehouse:
        shapes = warehouse.frame("select shape from staging.delivered_shapes where is_delivered")
        delivered = sorted(shapes["shape"])
        step = step_for(
            warehouse,
            CUSTOMER_SEGMENT_MEMBERSHIPS.full_name,
            as_of,
            [
                ("predictions.customer_microsegments", as_of),
                ("predictions.customer_potential", as_of),
                ("dbt_customer_rows", None),
            ],
            [[asdict(segment) for segment in segments], delivered, horizon],
            code_hash(*CODE),
        )
        if not begin(context, warehouse, step):
            yield from results(TABLES, None)
            return
        try:
            definitions, members = evaluate(
                warehouse, segments, checker_for(config), as_of, delivered, horizon
            )
        except SegmentFailedError as error:
            raise dg.Failure(str(error)) from error
        warehouse.replace_slices(
            [(SEGMENT_DEFINITIONS, definitions), (CUSTOMER_SEGMENT_MEMBERSHIPS, members)],
            {"as_of_date": as_of},
        )
        measured = record(warehouse, step, context.run_id, TABLES)
    shown = dg.MetadataValue.md(definitions[SHOWN].to_markdown(index=False))
    extra: dict[str, object] = {"segments": shown}
    if definitions["segment"].str.startswith(QUADRANT).any():
        picture = quadrant_picture(definitions, config.source.reporting_currency)
        extra["past and predicted value"] = dg.MetadataValue.md(picture)
    yield from results(TABLES, measured, {SEGMENT_DEFINITIONS.full_name: extra})
