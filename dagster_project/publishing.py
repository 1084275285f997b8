"""The published copy: what BI tools read, replaced as a whole or not at all.

Add here what the copy holds or how it is swapped in. Which runs may publish is decided by the
promotion asset.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

# Old clients can read this format; the working warehouse uses DuckDB's own newest one.
STORAGE_VERSION = "v1.4.0"
PUBLISHED_ROOMS = ("marts", "predictions", "models", "serving")
EXTRA_TABLES = ("identity.customers_map", "identity.superseded")
# Draws are for refits and audits; they would be most of the file.
WITHHELD = ("models.model_parameters",)
# Audiences hold contact details; the parts of the features belong to one date only.
WITHHELD_PREFIXES = ("aud_", "slice_")


def publish(warehouse_path: Path, published_path: Path) -> dict[str, int]:
    """Write the published copy beside the old one and swap it in atomically.

    A kill at any moment leaves the old copy; readers that hold it open keep reading it.

    Returns
    -------
    dict
        Rows per published table.
    """
    published_path.parent.mkdir(parents=True, exist_ok=True)
    next_copy = published_path.with_name(published_path.name + ".next")
    for leftover in (next_copy, next_copy.with_name(next_copy.name + ".wal")):
        leftover.unlink(missing_ok=True)
    connection = duckdb.connect()
    try:
        connection.execute(f"attach '{_quoted(warehouse_path)}' as warehouse (read_only)")
        connection.execute(
            f"attach '{_quoted(next_copy)}' as published (storage_version '{STORAGE_VERSION}')"
        )
        counts = _copy_tables(connection)
        _copy_views(connection)
        connection.execute("checkpoint published")
        connection.execute("detach published")
    finally:
        connection.close()
    with next_copy.open("rb") as file:
        os.fsync(file.fileno())
    next_copy.replace(published_path)
    return counts


def link_default(published_path: Path, name: str = "clientela.duckdb") -> Path:
    """Point ``clientela.duckdb`` beside the copy at it, atomically: BI needs one address."""
    link = published_path.with_name(name)
    if link.exists() and not link.is_symlink():
        # Somebody's own file of that name, or the copy itself.
        return link
    staged = link.with_name(f".{name}.next")
    staged.unlink(missing_ok=True)
    staged.symlink_to(published_path.name)
    staged.replace(link)
    return link


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _copy_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    rooms = ", ".join(f"'{room}'" for room in PUBLISHED_ROOMS)
    tables = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = "
        f"'warehouse' and (schema_name in ({rooms}) or schema_name || '.' || table_name in "
        f"({', '.join(repr(name) for name in EXTRA_TABLES)})) order by 1"
    ).fetchall()
    counts = {}
    for (name,) in tables:
        schema, table = name.split(".", 1)
        if name in WITHHELD or table.startswith(WITHHELD_PREFIXES):
            continue
        connection.execute(f"create schema if not exists published.{schema}")
        # A slice that a gate refused stays in the warehouse.
        promoted = (
            " where as_of_date in (select as_of_date from warehouse.models.promoted_dates "
            "where is_promoted)"
            if schema == "predictions" or name == "marts.fct_customer_features"
            else ""
        )
        connection.execute(
            f"create table published.{name} as select * from warehouse.{name}{promoted}"
        )
        counted = connection.execute(f"select count(*) from published.{name}").fetchall()
        counts[name] = int(counted[0][0])
    return counts


def _copy_views(connection: duckdb.DuckDBPyConnection) -> None:
    rooms = ", ".join(f"'{room}'" for room in PUBLISHED_ROOMS)
    pending = connection.execute(
        "select schema_name, view_name, sql from duckdb_views() where database_name = 'warehouse' "
        f"and schema_name in ({rooms})"
    ).fetchall()
    pending = [view for view in pending if not view[1].startswith(WITHHELD_PREFIXES)]
    connection.execute("use published")
    while pending:
        failed, error = [], None
        for view in sorted(pending):
            connection.execute(f"create schema if not exists {view[0]}")
            try:
                connection.execute(view[2])
            except duckdb.CatalogException as missing:
                failed, error = [*failed, view], missing
        if len(failed) == len(pending):
            raise RuntimeError(
                "views need something that is not published: "
                f"{[f'{schema}.{name}' for schema, name, _ in failed]} ({error})"
            )
        pending = failed
    connection.execute("use memory")
