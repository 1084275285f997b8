"""What the UI shows of a dbt model beside its SQL: rows, columns, and where each column comes from.

Add here what is read off the warehouse or the compiled SQL after a dbt run. dagster-dbt has the
same as ``fetch_column_metadata``; it qualifies a query once more for every one of its columns and
opens a connection for every model and parent, which took half of a first run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from sqlglot import MappingSchema, exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

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
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        manifest: Mapping[str, Any],
        compiled: Path,
        translator: Any,
    ) -> None:
        self._connection = connection
        self._manifest = manifest
        self._compiled = compiled
        self._translator = translator
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

    def _lineage(self, node: Mapping[str, Any]) -> dg.TableColumnLineage:
        manifest, known = self._manifest, MappingSchema(dialect=DIALECT)
        parents: dict[str, dg.AssetKey] = {}
        for parent_id in node["depends_on"]["nodes"]:
            parent = manifest["sources"].get(parent_id) or manifest["nodes"][parent_id]
            parents[_table(parent)] = self._translator.get_asset_spec(manifest, parent_id, None).key
        for table in {*parents, _table(node)} & set(self._columns):
            known.add_table(exp.to_table(table), self._columns[table], dialect=DIALECT)
        sql = self._compiled / node["package_name"] / node["original_file_path"]
        found = lineage(None, sql.read_text(), known, dialect=DIALECT)
        return dg.TableColumnLineage(
            {name.lower(): _sources(leaves, parents) for name, leaves in found.items()}
        )


def _table(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{node.get('alias') or node['identifier']}"


def _sources(column: Node, parents: Mapping[str, dg.AssetKey]) -> list[dg.TableColumnDep]:
    """The columns of direct parents at the ends of a column's lineage, in a fixed order."""
    ends = {
        (f"{table.db}.{table.name}", exp.to_column(node.name).name.lower())
        for node in column.walk()
        if not node.downstream and (table := node.expression.find(exp.Table))
    }
    return [
        dg.TableColumnDep(parents[table], name) for table, name in sorted(ends) if table in parents
    ]
