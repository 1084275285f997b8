"""A DuckDB file written again without the rows of the erased, and swapped in whole.

Add here what a rewritten file must keep. A delete would leave the old strings in the file, so the
rows that stay are copied into a new one; until it takes the old one's place nothing has changed,
and a kill at any moment leaves the old file. Which rows go is decided in columns.py and
raw_columns.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb

from dagster_project.erasure.columns import Table, condition, mentions, tables_of
from dagster_project.erasure.needles import Needles
from dagster_project.sql_text import literal, quoted
from dagster_project.warehouse import WarehouseBusyError

NEXT = ".next"
Adjust = Callable[[duckdb.DuckDBPyConnection, str], None]


def attach(connection: duckdb.DuckDBPyConnection, path: Path, name: str) -> None:
    """Attach a file for reading.

    A journal that a killed writer left is brought in first, for a reader cannot.

    Raises
    ------
    WarehouseBusyError
        When another process writes to the file.
    """
    try:
        if path.with_name(path.name + ".wal").exists():
            with duckdb.connect(str(path)) as writer:
                writer.execute("checkpoint")
        connection.execute(f"attach {literal(str(path))} as {name} (read_only)")
    except duckdb.IOException as error:
        if "lock" not in str(error).lower():
            raise
        raise WarehouseBusyError(
            f"{path} is held by another process ({error}). Try again when its run has ended."
        ) from error


def conditions(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    needles: Needles,
    special: Mapping[str, str] | None = None,
    spared: frozenset[str] = frozenset(),
) -> dict[Table, str]:
    """Per table of an attached file the SQL of the rows to be erased.

    Parameters
    ----------
    special
        Conditions of tables (by schema.table) that are judged otherwise than by their columns.
    spared
        Schemas that belong to the company's own systems.
    """
    patterns = needles.patterns
    return {
        table: (special or {}).get(f"{table.schema}.{table.name}") or condition(table, patterns)
        for table in tables_of(connection, database)
        if table.schema not in spared
    }


def counted(
    connection: duckdb.DuckDBPyConnection, database: str, doomed: Mapping[Table, str]
) -> dict[str, int]:
    """Rows to be erased per table, tables without any left out."""
    found = {}
    for table, rows in doomed.items():
        count = connection.execute(
            f"select count(*) from {database}.{table.full_name} where {rows}"
        ).fetchall()[0][0]
        if count:
            found[f"{table.schema}.{table.name}"] = int(count)
    return found


def rewrite(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    database: str,
    doomed: Mapping[Table, str],
    needles: Needles,
    adjust: Adjust | None = None,
) -> None:
    """Copy what stays into a new file and put it in the place of the old one.

    Parameters
    ----------
    database
        Name under which `path` is attached; it is detached.
    adjust
        Called with the connection and the name of the new database before it is closed.
    """
    following = path.with_name(path.name + NEXT)
    journal = following.with_name(following.name + ".wal")
    for leftover in (following, journal):
        leftover.unlink(missing_ok=True)
    version = connection.execute(
        "select tags['storage_version'] from duckdb_databases() where database_name = ?",
        [database],
    ).fetchall()[0][0]
    options = f"(storage_version '{version.rstrip('+')}')" if version else ""
    connection.execute(f"attach {literal(str(following))} as renewed {options}")
    connection.execute(f"copy from database {database} to renewed (schema)")
    for table in tables_of(connection, database):
        rows = doomed.get(table, "false")
        is_raw = table.schema == "raw" and table in doomed
        columns = ", ".join(_kept(table, name, needles, is_raw) for name in table.columns)
        connection.execute(
            f"insert into renewed.{table.full_name} select {columns} "
            f"from {database}.{table.full_name} where not {rows}"
        )
    if adjust:
        adjust(connection, "renewed")
    connection.execute("checkpoint renewed")
    connection.execute("detach renewed")
    connection.execute(f"detach {database}")
    swap_in(following, path)


def swap_in(following: Path, path: Path) -> None:
    """Make a finished file take the place of the old one, on disk and not only in memory."""
    with following.open("rb") as file:
        os.fsync(file.fileno())
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
    following.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remaining(
    connection: duckdb.DuckDBPyConnection,
    database: str,
    needles: Needles,
    spared: frozenset[str] = frozenset(),
) -> dict[str, int]:
    """Rows per column that still name an erased person; empty when the erasure is complete."""
    found = {}
    for table in tables_of(connection, database):
        if table.schema in spared or not table.text_columns:
            continue
        measures = ", ".join(
            f"count(*) filter ({mentions(name, needles.patterns)})" for name in table.text_columns
        )
        counts = connection.execute(
            f"select {measures} from {database}.{table.full_name}"
        ).fetchall()[0]
        for name, count in zip(table.text_columns, counts, strict=True):
            if count:
                found[f"{table.schema}.{table.name}.{name}"] = int(count)
    return found


def _kept(table: Table, column: str, needles: Needles, is_raw: bool) -> str:
    """The column as it is copied; a mention on another person's raw row is blanked."""
    name = quoted(column)
    if not is_raw or column not in table.text_columns:
        return name
    return f"case when {mentions(column, needles.patterns)} then null else {name} end as {name}"
