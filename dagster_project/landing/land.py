"""Landing a source into schema raw, as one snapshot in one transaction.

Add here what is written about a landing.
Reading files stays out (`sources.py` and the readers behind it); so does judging rows (dbt).
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

from dagster_project.config import Config
from dagster_project.erasure.withholding import Withholding, withholding
from dagster_project.landing.delivery import Part, SourceError, literal, quoted
from dagster_project.landing.fingerprint import fingerprint_of
from dagster_project.landing.report import LandedTable, LandingReport
from dagster_project.landing.requirements import mapped_shapes, problems
from dagster_project.landing.sources import Source, source_of
from dagster_project.source_contract import RAW_TABLES, SHAPES, Shape

_LOG_TABLES = """
create schema if not exists raw;
create or replace table raw.landed_tables (
    table_name varchar, origin varchar, is_delivered boolean, rows_landed bigint,
    rows_rejected bigint, missing_columns varchar, unknown_columns varchar, content_hash varchar,
    rows_erased bigint);
create or replace table raw.rejected_lines (
    table_name varchar, line_number bigint, raw_line varchar, reason varchar);
create or replace table raw.landed_dataset (
    dataset varchar, kind varchar, origin varchar, fingerprint varchar);
"""


def land(
    connection: duckdb.DuckDBPyConnection,
    config: Config,
    replacing: Callable[[duckdb.DuckDBPyConnection], None] | None = None,
) -> LandingReport:
    """Replace the raw tables by what the source delivers now.

    All or nothing: when it fails or is killed, the raw tables of the last landing remain.

    Parameters
    ----------
    connection
        The open warehouse, outside a transaction.
    replacing
        Called in the transaction that replaces the tables; what it writes stands or falls with it.

    Raises
    ------
    SourceError
        When a required table or column is missing, a file is unreadable or changes while it is
        read, or the warehouse belongs to another data set.
    """
    cursor = connection.cursor()
    # Offsets in Parquet timestamps must come out as UTC, whatever the machine's zone.
    cursor.execute("set TimeZone = 'UTC'")
    cursor.execute("set preserve_insertion_order = true")
    _refuse_other_dataset(cursor, config)
    source = source_of(config)
    hashes = source.hashes(cursor)
    withheld = withholding(cursor, config)
    # In storage, where an erasure clears away what a killed landing has left.
    config.landing_path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.landing_path) as workspace:
        parts = source.parts(cursor, Path(workspace))
        if found := problems(source, parts):
            raise SourceError("\n".join(found))
        lines_erased: dict[str, int] = {}
        if withheld:
            lines = _lines(parts)
            parts = {
                table: tuple(withheld.without_lines(part) for part in found)
                for table, found in parts.items()
            }
            lines_erased = {table: lines[table] - kept for table, kept in _lines(parts).items()}
            for table, found in parts.items():
                withheld.gather_orders(table, RAW_TABLES[table], found)
        cursor.execute("begin transaction")
        try:
            if replacing:
                replacing(cursor)
            cursor.execute(_LOG_TABLES)
            tables = tuple(
                _land_table(
                    cursor,
                    table,
                    shape,
                    parts.get(table, ()),
                    hashes.get(table, ""),
                    withheld,
                    lines_erased.get(table, 0),
                )
                for table, shape in RAW_TABLES.items()
            )
            if source.hashes(cursor) != hashes:
                raise SourceError(
                    f"{source.label} changed while it was read. Run again when it is complete."
                )
            report = _report(config, source, parts, hashes, tables)
            _log(cursor, report, parts)
        except BaseException:
            cursor.execute("rollback")
            raise
        cursor.execute("commit")
    cursor.close()
    return report


def _refuse_other_dataset(cursor: duckdb.DuckDBPyConnection, config: Config) -> None:
    try:
        landed = cursor.execute("select dataset, kind from raw.landed_dataset").fetchone()
    except duckdb.CatalogException:
        return
    wanted = (config.dataset, config.source.kind)
    if landed is not None and landed != wanted:
        raise SourceError(
            f"The warehouse {config.warehouse_path} belongs to the data set {landed[0]} (kind "
            f"{landed[1]}); {wanted[0]} (kind {wanted[1]}) would be mixed into its persons and "
            "history. Name another file with --warehouse, or delete this one to start afresh. If "
            "it is the same data in a new folder, name it under `datasets` in config.yml."
        )


def _land_table(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    shape: Shape,
    parts: tuple[Part, ...],
    content_hash: str,
    withheld: Withholding | None,
    lines_erased: int,
) -> LandedTable:
    delivered = list(dict.fromkeys(name for part in parts for name in part.columns))
    # DuckDB's names ignore case, so Note of one part and note of another are one column.
    first_spelling: dict[str, str] = {}
    for name in delivered:
        first_spelling.setdefault(name.lower(), name)
    unknown = tuple(name for name in first_spelling.values() if name not in shape.column_names)
    columns = [f"{quoted(name)} varchar" for name in (*shape.column_names, *unknown)]
    columns.insert(len(shape.columns), "_row_number bigint")
    cursor.execute(f"create or replace table raw.{table} ({', '.join(columns)})")
    cursor.execute(f"comment on table raw.{table} is {literal(shape.description)}")
    rows = erased = 0
    for part in parts:
        landed, held_back = _land_part(cursor, table, part, rows + erased, withheld)
        rows, erased = rows + landed, erased + held_back
    return LandedTable(
        table,
        ", ".join(part.origin for part in parts),
        bool(parts),
        rows,
        sum(len(part.rejected) for part in parts),
        tuple(name for name in shape.column_names if parts and name not in delivered),
        unknown,
        content_hash,
        erased + lines_erased,
    )


def _lines(parts: dict[str, tuple[Part, ...]]) -> dict[str, int]:
    return {table: sum(len(part.rejected) for part in found) for table, found in parts.items()}


def _land_part(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    part: Part,
    before: int,
    withheld: Withholding | None,
) -> tuple[int, int]:
    """Rows landed and rows withheld; `before` of the table's rows were read from earlier parts."""
    relation, kept, erased = part.relation, "true", 0
    if withheld:
        relation = withheld.selected(table, part)
        condition = withheld.condition(table, part.columns)
        counted = f"select count(*) from ({part.relation}) where {condition}"
        kept, erased = f"not {condition}", cursor.execute(counted).fetchall()[0][0]
    count = f"select count(*) from raw.{table}"
    landed = cursor.execute(count).fetchall()[0][0]
    cursor.execute(
        f"insert into raw.{table} by name select * from (select *, {before} + row_number() over () "
        f"as _row_number from ({relation})) where {kept}"
    )
    rows = cursor.execute(count).fetchall()[0][0] - landed
    if part.rows is not None and rows + erased != part.rows:
        raise SourceError(
            f"{table} ({part.origin}) holds {part.rows} rows, but {rows + erased} were read. "
            "Nothing was landed; write the file again, as Parquet if you can."
        )
    return rows, erased


def _report(
    config: Config,
    source: Source,
    parts: dict[str, tuple[Part, ...]],
    hashes: dict[str, str],
    tables: tuple[LandedTable, ...],
) -> LandingReport:
    mapped = mapped_shapes(parts)
    return LandingReport(
        dataset=config.dataset,
        kind=config.source.kind,
        origin=source.label,
        fingerprint=fingerprint_of(hashes),
        tables=tables,
        missing_shapes=tuple(
            name
            for name in SHAPES
            if name in source.contract and not parts.get(name) and name not in mapped
        ),
        unused=source.unused,
        notes=tuple(note for found in parts.values() for part in found for note in part.notes),
    )


def _log(
    cursor: duckdb.DuckDBPyConnection, report: LandingReport, parts: dict[str, tuple[Part, ...]]
) -> None:
    cursor.executemany(
        "insert into raw.landed_tables values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                table.table_name,
                table.origin,
                table.is_delivered,
                table.rows_landed,
                table.rows_rejected,
                ", ".join(table.missing_columns),
                ", ".join(table.unknown_columns),
                table.content_hash or None,
                table.rows_erased,
            )
            for table in report.tables
        ],
    )
    rejected = [
        {
            "table_name": table,
            "line_number": line.line_number,
            "raw_line": line.raw_line,
            "reason": f"{part.origin}: {line.reason}",
        }
        for table, found in parts.items()
        for part in found
        for line in part.rejected
    ]
    if rejected:
        cursor.register("rejected_lines_to_write", pa.Table.from_pylist(rejected))
        cursor.execute("insert into raw.rejected_lines by name from rejected_lines_to_write")
        cursor.unregister("rejected_lines_to_write")
    cursor.execute(
        "insert into raw.landed_dataset values (?, ?, ?, ?)",
        [report.dataset, report.kind, report.origin, report.fingerprint],
    )
