"""The Warehouse: the only module in which Python touches an engine.

Add a verb here when an asset needs something from the engine that SQL text and a pure function
cannot express; a Spark engine must then offer the same verb. Business SQL stays in dbt, statistics
in models_py, and what a run means in assets.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from dagster_project.result_tables import RESULT_TABLES, ResultTable

SCHEMAS = (
    "raw",
    "staging",
    "identity",
    "intermediate",
    "marts",
    "predictions",
    "serving",
    "models",
)


class WarehouseBusyError(RuntimeError):
    """Another process holds the warehouse file."""


class Warehouse:
    """An open warehouse with the verbs that assets use.

    Open one with :func:`open_warehouse`; it is closed at the end of the block, because DuckDB lets
    one process write at a time.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """Run SQL that returns grouped or small results as an Arrow table."""
        return self.connection.sql(sql, params=list(parameters) or None).to_arrow_table()

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """The same as :meth:`query`, as a pandas frame."""
        return self.query(sql, parameters).to_pandas()

    def scalar(self, sql: str, parameters: Sequence[object] = ()) -> object:
        """First column of the first row, or None."""
        # fetchone() would leave an unfinished result, which blocks the connection.
        rows = self.connection.execute(sql, list(parameters)).fetchall()
        return rows[0][0] if rows else None

    def map_batches(
        self,
        sql: str,
        function: Callable[[pd.DataFrame], Mapping[str, pd.DataFrame]],
        as_of_date: dt.date,
        tables: Sequence[ResultTable],
        batch_rows: int = 20_000,
    ) -> dict[str, int]:
        """Stream rows of ``sql`` through ``function`` and replace one slice of each table.

        The function gets a batch and returns one frame per table, by full name. All slices change
        in one transaction: a reader (or a kill) sees the old slices or the new ones. Returns rows
        written per table.
        """
        written = {table.full_name: 0 for table in tables}
        reader = self.connection.sql(sql).to_arrow_reader(batch_rows)
        with self._transaction() as cursor:
            for table in tables:
                cursor.execute(f"delete from {table.full_name} where as_of_date = ?", [as_of_date])
            for batch in reader:
                for name, frame in function(batch.to_pandas()).items():
                    written[name] += _insert(cursor, RESULT_TABLES[name], frame)
        return written

    def replace_slice(
        self, table: ResultTable, frame: pd.DataFrame, where: Mapping[str, object]
    ) -> int:
        """Replace the rows that match ``where`` (all rows when empty) by ``frame``, in one
        transaction.
        """
        return self.replace_slices([(table, frame)], where)

    def replace_slices(
        self,
        frames: Sequence[tuple[ResultTable, pd.DataFrame | pa.Table]],
        where: Mapping[str, object],
    ) -> int:
        """The same slice of several tables in one transaction: all change, or none."""
        condition = " and ".join(f"{column} = ?" for column in where) or "true"
        written = 0
        with self._transaction() as cursor:
            for table, frame in frames:
                cursor.execute(
                    f"delete from {table.full_name} where {condition}", list(where.values())
                )
                written += _insert(cursor, table, frame)
        return written

    def replace_tables(
        self,
        frames: Sequence[tuple[ResultTable, pd.DataFrame]],
        appended: Sequence[tuple[ResultTable, pd.DataFrame]] = (),
    ) -> None:
        """Replace whole tables and add to others in one transaction: all change, or none."""
        with self._transaction() as cursor:
            for table, frame in frames:
                cursor.execute(f"delete from {table.full_name}")
                _insert(cursor, table, frame)
            for table, frame in appended:
                _insert(cursor, table, frame)

    def measure(self, table_name: str, as_of_date: dt.date | None) -> tuple[int, str]:
        """Row count and a content hash that depends on the set of rows only."""
        condition = "true" if as_of_date is None else f"as_of_date = date '{as_of_date}'"
        rows, content = self.connection.execute(
            f"select count(*), coalesce(cast(sum(cast(hash(t) as hugeint)) as varchar), '0') "
            f"from (select * from {table_name} where {condition}) t"
        ).fetchall()[0]
        return int(rows), str(content)

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        cursor = self.connection.cursor()
        cursor.execute("begin transaction")
        try:
            yield cursor
        except BaseException:
            cursor.execute("rollback")
            raise
        else:
            cursor.execute("commit")
        finally:
            cursor.close()


def _insert(
    cursor: duckdb.DuckDBPyConnection, table: ResultTable, frame: pd.DataFrame | pa.Table
) -> int:
    present = frame.column_names if isinstance(frame, pa.Table) else list(frame.columns)
    missing = [name for name in table.column_names if name not in present]
    if missing:
        raise ValueError(
            f"{table.full_name}: the frame to write lacks columns {missing}; it has "
            f"{present}. Make them, or change the contract in result_tables.py."
        )
    if len(frame) == 0:
        return 0
    if isinstance(frame, pa.Table):
        rows = frame.select(table.column_names)
    else:
        rows = pa.Table.from_pandas(frame[table.column_names], preserve_index=False)
    cursor.register("rows_to_write", rows)
    columns = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind, _ in table.columns)
    cursor.execute(f"insert into {table.full_name} by name select {columns} from rows_to_write")
    cursor.unregister("rows_to_write")
    return rows.num_rows


@contextmanager
def open_warehouse(
    path: Path | str, *, wait_seconds: float = 60.0, read_only: bool = False
) -> Iterator[Warehouse]:
    """Open the warehouse file, creating schemas and result tables, and close it at the end.

    Raises
    ------
    WarehouseBusyError
        When another process still holds the file after ``wait_seconds``; it names the file and the
        remedy.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = _connect(path, wait_seconds, read_only)
    try:
        # A fixed order of rows and of decimal sums is what makes a repeated slice byte-identical.
        connection.execute("set preserve_insertion_order = true")
        connection.execute("set TimeZone = 'UTC'")
        if not read_only:
            for schema in SCHEMAS:
                connection.execute(f"create schema if not exists {schema}")
            for table in RESULT_TABLES.values():
                connection.execute(table.ddl)
            _add_new_columns(connection)
        yield Warehouse(connection)
    finally:
        connection.close()


def _add_new_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """Give tables of an older release the columns that have come since; old rows are NULL there."""
    present = {
        (f"{schema}.{table}", column)
        for schema, table, column in connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns() "
            "where database_name = current_database()"
        ).fetchall()
    }
    for table in RESULT_TABLES.values():
        for name, kind, _ in table.columns:
            if (table.full_name, name) not in present:
                connection.execute(f"alter table {table.full_name} add column {name} {kind}")


def _connect(path: Path, wait_seconds: float, read_only: bool) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() > deadline:
                raise WarehouseBusyError(
                    f"{path} is held by another process ({error}). Close it: analysts and BI tools "
                    "read the published copy, not the warehouse."
                ) from error
            time.sleep(0.5)
