"""What the UI shows of a dbt model beside its SQL: rows, columns, and where each column comes from.

Add here what is read off the warehouse or the compiled SQL after a dbt run. dagster-dbt has the
same as ``fetch_column_metadata``; it qualifies a query once more for every one of its columns and
opens a connection for every model and parent, which took half of a first run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from sqlglot import MappingSchema, exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

from dagster_project.lineage import fingerprint

DIALECT = "duckdb"
COLUMNS = """
    select table_schema || '.' || table_name, column_name, data_type
    from information_schema.columns where table_catalog = current_database()
    order by table_schema, table_name, ordinal_position
"""


class BuiltModels:
    """The models of a dbt run as they stand in the warehouse.

    Parameters
    ----------
    connection
        The warehouse, after dbt has let go of it.
    manifest
        dbt's manifest.
    compiled
        Folder of compiled SQL of that run.
    translator
        Gives the asset key of a dbt resource.
    code
        Hash of the dbt project.
    kept
        File of the lineages found so far. They depend on the project and the columns of parents
        alone, and finding them takes longer than building the models.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        manifest: Mapping[str, Any],
        compiled: Path,
        translator: Any,
        code: str,
        kept: Path,
    ) -> None:
        self._connection = connection
        self._manifest = manifest
        self._compiled = compiled
        self._translator = translator
        self._code = code
        self._kept = kept
        self._lineages = json.loads(kept.read_text()) if kept.is_file() else {}
        self._columns: dict[str, dict[str, str]] = {}
        for table, column, kind in connection.execute(COLUMNS).fetchall():
            self._columns.setdefault(table, {})[column] = kind

    def row_count(self, unique_id: str) -> dict[str, Any]:
        """Metadata with the number of rows; nothing for a view, which may be dear to count."""
        node = self._manifest["nodes"][unique_id]
        if node["config"]["materialized"] == "view":
            return {}
        counted = self._connection.execute(f"select count(*) from {_table(node)}").fetchall()
        return {"dagster/row_count": counted[0][0], "dagster/storage_kind": DIALECT}

    def columns(self, unique_id: str) -> dict[str, Any]:
        """Metadata with column names, types and descriptions, and the lineage of each column."""
        node = self._manifest["nodes"][unique_id]
        described = node["columns"]
        schema = [
            dg.TableColumn(name, kind, description=described.get(name, {}).get("description"))
            for name, kind in self._columns[_table(node)].items()
        ]
        metadata: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(schema)}
        try:
            metadata["dagster/column_lineage"] = self._lineage(node)
        except SqlglotError as error:
            # A query that DuckDB runs and sqlglot cannot read costs its lineage, not the run.
            dg.get_dagster_logger().warning("no column lineage of %s: %s", unique_id, error)
        return metadata

    def keep(self) -> None:
        """Write down the lineages, for the next run."""
        written = self._kept.with_suffix(".tmp")
        written.write_text(json.dumps(self._lineages, sort_keys=True))
        written.replace(self._kept)

    def _lineage(self, node: Mapping[str, Any]) -> dg.TableColumnLineage:
        manifest = self._manifest
        parents: dict[str, list[str]] = {}
        for parent_id in node["depends_on"]["nodes"]:
            parent = manifest["sources"].get(parent_id) or manifest["nodes"][parent_id]
            spec = self._translator.get_asset_spec(manifest, parent_id, None)
            parents[_table(parent)] = list(spec.key.path)
        tables = sorted({*parents, _table(node)} & set(self._columns))
        columns = {table: self._columns[table] for table in tables}
        made_of = fingerprint(self._code, [(t, *columns[t].items()) for t in tables], parents)
        known = self._lineages.get(node["unique_id"])
        if known is None or known["made_of"] != made_of:
            sql = self._compiled / node["package_name"] / node["original_file_path"]
            found = column_sources(sql.read_text(), columns, parents)
            known = self._lineages[node["unique_id"]] = {"made_of": made_of, "columns": found}
        return dg.TableColumnLineage(
            {
                name: [dg.TableColumnDep(dg.AssetKey(key), column) for key, column in sources]
                for name, sources in known["columns"].items()
            }
        )


def column_sources(
    sql: str, columns: Mapping[str, Mapping[str, str]], parents: Mapping[str, list[str]]
) -> dict[str, list[tuple[list[str], str]]]:
    """Columns of direct parents from which each column of a query comes, in a fixed order.

    Parameters
    ----------
    sql
        The query.
    columns
        Type of each column, by table (schema.name).
    parents
        Asset key of each table to be told.

    Returns
    -------
    dict
        Output column to pairs of asset key and column.
    """
    known = MappingSchema(dialect=DIALECT)
    for table, kinds in columns.items():
        known.add_table(exp.to_table(table), dict(kinds), dialect=DIALECT)
    found = lineage(None, sql, known, dialect=DIALECT)
    return {name.lower(): _sources(leaves, parents) for name, leaves in found.items()}


def _table(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{node.get('alias') or node['identifier']}"


def _sources(column: Node, parents: Mapping[str, list[str]]) -> list[tuple[list[str], str]]:
    ends = {
        (f"{table.db}.{table.name}", exp.to_column(node.name).name.lower())
        for node in column.walk()
        if not node.downstream and (table := node.expression.find(exp.Table))
    }
    return [(parents[table], name) for table, name in sorted(ends) if table in parents]
