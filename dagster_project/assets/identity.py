"""Which records are one person: the customers map, by exact identifiers.

Add here the assets of record linkage. Normalising identifiers is SQL (dbt/models/identity); the
graph algorithm is in models_py.
"""

from collections.abc import Iterator

import dagster as dg

from dagster_project.lineage import asset_spec, begin, code_hash, record, results, step_for
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.result_tables import CUSTOMERS_MAP

RECORDS = """
    select source_system, source_record_id, first_seen_at, last_seen_at
    from identity.source_records order by source_system, source_record_id
"""
IDENTIFIERS = """
    select source_system, source_record_id, identifier_type, identifier_value, is_joinable
    from identity.record_identifiers order by 1, 2, 3, 4
"""


@dg.multi_asset(
    specs=[
        asset_spec(
            CUSTOMERS_MAP,
            deps=[("identity", "source_records"), ("identity", "record_identifiers")],
            kinds=("python", "scipy", "duckdb"),
        )
    ],
    name="customers_map",
    pool=POOL,
)
def customers_map(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Connected components over the identifiers that may join."""
    from models_py.record_linkage import ExactLinkage

    with clientela.warehouse() as warehouse:
        step = step_for(
            warehouse,
            CUSTOMERS_MAP.full_name,
            None,
            [("dbt_identity", None)],
            None,
            code_hash("models_py.record_linkage", __name__),
        )
        if not begin(context, warehouse, step):
            yield from results([CUSTOMERS_MAP], None)
            return
        records = warehouse.frame(RECORDS)
        mapped = ExactLinkage().link(records, warehouse.frame(IDENTIFIERS))
        warehouse.replace_slice(CUSTOMERS_MAP, mapped, {})
        measured = record(warehouse, step, context.run_id, [CUSTOMERS_MAP])
        counts = {
            "records": len(records),
            "persons": int(mapped["customer_id"].nunique()),
        }
        yield from results([CUSTOMERS_MAP], measured, {CUSTOMERS_MAP.full_name: counts})
