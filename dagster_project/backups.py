"""Backups: what no run can make again, saved into a DuckDB file and brought back from one.

Add a table to `SAVED` when losing it would change ids, keys or promises. What a run rebuilds from
the source stays out, and so does the key file of the erasures, which is a secret.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import duckdb

from dagster_project.config import Config
from dagster_project.erasure.columns import tables_of
from dagster_project.erasure.rewriting import NEXT, attach
from dagster_project.sql_text import literal
from dagster_project.warehouse import open_warehouse

# Whole tables: person ids and how they came about, fits, segment keys, erasures and their revenue.
SAVED = (
    "identity.person_names",
    "identity.superseded",
    "identity.change_log",
    "identity.erasures",
    "identity.erasure_columns",
    "models.erased_revenue",
    "models.model_versions",
    "models.model_parameters",
    "predictions.microsegments",
    "predictions.microsegment_lineage",
)
# Kept from both sides when a backup is restored: a person erased since must stay erased.
UNITED = ("identity.erasures", "identity.erasure_columns")

# A warehouse with rows in any of these has begun, and is not restored into.
HISTORY = {
    "models.model_versions": "fitted models",
    "identity.person_names": "persons",
    "raw.landed_tables": "landed data",
}


class BackupError(RuntimeError):
    """A backup cannot be made or restored; the message says what to do instead."""


def backup(config: Config, now: dt.datetime) -> tuple[Path, dict[str, int]]:
    """Save the tables that exist into a new file of the backups folder.

    Returns
    -------
    tuple
        The file, and rows per table.
    """
    if not config.warehouse_path.is_file():
        raise BackupError(f"There is no warehouse {config.warehouse_path}. Run the line first.")
    config.backups_path.mkdir(parents=True, exist_ok=True)
    target = config.backups_path / f"{now:%Y%m%dT%H%M%S}.duckdb"
    following = target.with_name(target.name + NEXT)
    following.unlink(missing_ok=True)
    counts = {}
    with duckdb.connect() as connection:
        attach(connection, config.warehouse_path, "warehouse")
        connection.execute(f"attach {literal(str(following))} as saved")
        for name in _saved_in(connection, "warehouse"):
            connection.execute(f"create schema if not exists saved.{name.split('.')[0]}")
            connection.execute(f"create table saved.{name} as from warehouse.{name}")
            count = connection.execute(f"select count(*) from saved.{name}").fetchall()
            counts[name] = int(count[0][0])
        connection.execute("checkpoint saved")
        connection.execute("detach saved")
    with following.open("rb") as file:
        os.fsync(file.fileno())
    following.replace(target)
    return target, counts


def restore(config: Config, file: Path) -> dict[str, int]:
    """Bring a backup into a warehouse that has no history of its own yet.

    Raises
    ------
    BackupError
        When the file is no backup, or the warehouse already holds landed data, persons or fits:
        they would be lost, and what is landed is not landed again without the erased.
    """
    if not file.is_file():
        raise BackupError(f"There is no backup {file}.")
    counts = {}
    with open_warehouse(config.warehouse_path) as warehouse:
        connection = warehouse.connection
        for table, what in HISTORY.items():
            if _exists(connection, table) and warehouse.scalar(f"select count(*) from {table}"):
                raise BackupError(
                    f"{config.warehouse_path} holds {what} already ({table}). Restore into a new "
                    "file (--warehouse), or move this one away, before the first run."
                )
        connection.execute(f"attach {literal(str(file))} as saved (read_only)")
        found = _saved_in(connection, "saved")
        if not found:
            raise BackupError(f"{file} holds none of the tables of a backup.")
        connection.execute("begin transaction")
        for name in found:
            kept = f" union from {name}" if name in UNITED and _exists(connection, name) else ""
            connection.execute(f"create or replace temp table restored as from saved.{name}{kept}")
            connection.execute(f"create or replace table {name} as from restored")
            count = connection.execute(f"select count(*) from {name}").fetchall()
            counts[name] = int(count[0][0])
        connection.execute("commit")
        connection.execute("detach saved")
    return counts


def _saved_in(connection: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    present = {f"{table.schema}.{table.name}" for table in tables_of(connection, database)}
    return [name for name in SAVED if name in present]


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    schema, _, table = name.partition(".")
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where database_name = current_database() "
            "and schema_name = ? and table_name = ?",
            [schema, table],
        ).fetchall()
    )
