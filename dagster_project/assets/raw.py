"""The raw room: what the source delivers, as text, one snapshot at a time.

Add nothing here when a source gains a table; the contract lists them. Readers are in landing/,
casting and rules in dbt staging.
"""

from collections.abc import Iterator

import dagster as dg

from dagster_project.landing import LandedTable, LandingReport, fingerprint, land
from dagster_project.lineage import Step, is_due, record, strike_out
from dagster_project.lineage import fingerprint as hash_of
from dagster_project.resources import POOL, ClientelaResource
from dagster_project.source_contract import RAW_TABLES, Shape

LOG_TABLES = {
    "landed_tables": "One row per raw table: origin, rows landed and rejected, columns missing.",
    "rejected_lines": "One row per line that the reader could not parse.",
}


def _spec(name: str, description: str, shape: Shape | None = None) -> dg.AssetSpec:
    columns = [
        dg.TableColumn(column.name, "VARCHAR", description=column.description)
        for column in (shape.columns if shape else ())
    ]
    metadata = {"dagster/table_name": f"raw.{name}"}
    return dg.AssetSpec(
        key=["raw", name],
        description=description,
        group_name="raw",
        kinds={"python", "duckdb"},
        owners=["team:clientela"],
        metadata=metadata | ({"dagster/column_schema": dg.TableSchema(columns)} if columns else {}),
    )


@dg.multi_asset(
    specs=[
        *(_spec(name, shape.description, shape) for name, shape in RAW_TABLES.items()),
        *(_spec(name, description) for name, description in LOG_TABLES.items()),
    ],
    name="raw",
    pool=POOL,
)
def raw_tables(
    context: dg.AssetExecutionContext, clientela: ClientelaResource
) -> Iterator[dg.MaterializeResult]:
    """Land the source, unless its content is that of the last landing."""
    config = clientela.config
    with clientela.warehouse() as warehouse:
        step = Step("raw", None, hash_of(fingerprint(config, warehouse.connection)))
        if not is_due(context, warehouse, step):
            report = None
        else:
            # A source that is refused leaves the tables, so what is written of them stays too.
            report = land(warehouse.connection, config, lambda opened: strike_out(opened, step))
            record(warehouse, step, context.run_id)
            if report.rows_erased:
                context.log.warning(
                    f"withheld {report.rows_erased} rows of erased persons, whom the source still "
                    "holds"
                )
            for note in (*report.notes, *report.unused):
                context.log.warning(note)
    tables = {table.table_name: table for table in report.tables} if report else {}
    for name in (*RAW_TABLES, *LOG_TABLES):
        yield dg.MaterializeResult(
            asset_key=["raw", name],
            metadata=_metadata(tables.get(name), report) if report else {"unchanged": True},
        )


def _metadata(table: LandedTable | None, report: LandingReport) -> dict[str, object]:
    if table is None:
        return {"rows_rejected": report.rows_rejected}
    return {
        "dagster/row_count": table.rows_landed,
        "rows_rejected": table.rows_rejected,
        "rows_erased": table.rows_erased,
        "origin": table.origin or "not delivered",
        "missing_columns": ", ".join(table.missing_columns) or "none",
        "unknown_columns": ", ".join(table.unknown_columns) or "none",
    }
