"""Tables of schemas that are already in the warehouse, as a source.

Add here what reading from the warehouse itself needs.
Tables under other names stay out: map those with a dbt model, see docs/bring-your-own-data.md.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from dagster_project.landing.delivery import (
    Part,
    SourceError,
    canonical_names,
    quoted,
    text_select,
)
from dagster_project.source_contract import Shape
from dagster_project.warehouse import SCHEMAS

# Schemas that a run writes: reading from them would feed a run with its own results.
OWN_SCHEMAS = set(SCHEMAS)


@dataclass(frozen=True)
class SchemaSource:
    """Tables and views named after the shapes; one shape may be in several schemas."""

    schemas: tuple[str, ...]
    contract: dict[str, Shape]
    unused: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What messages call the source."""
        return f"schema {', '.join(self.schemas)}"

    def hashes(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """Hash of the rows and their order, of each table.

        Tables under other names count too: a dbt model of the company may read them, and its
        results must not be taken for unchanged.
        """
        hashes: dict[str, str] = {}
        for schema, name in self._present(connection):
            relation = f"{quoted(schema)}.{quoted(name)}"
            row = connection.execute(
                "select count(*), sum(cast(hash(number, row_) as hugeint)) from "
                f"(select row_number() over () as number, row_ from {relation} as row_)"
            ).fetchone()
            table = name.lower() if name.lower() in self.contract else relation
            hashes[table] = hashes.get(table, "") + f"{relation}:{row};"
        return hashes

    def parts(
        self, connection: duckdb.DuckDBPyConnection, workspace: Path
    ) -> dict[str, tuple[Part, ...]]:
        """Readable parts of each table, one for each schema that has it."""
        return {
            table: tuple(_part(relation, self.contract[table], connection) for relation in found)
            for table, found in self._tables(connection).items()
        }

    def _tables(self, connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
        tables: dict[str, list[str]] = {}
        for schema, name in self._present(connection):
            if name.lower() in self.contract:
                tables.setdefault(name.lower(), []).append(f"{quoted(schema)}.{quoted(name)}")
        return tables

    def _present(self, connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
        """Schema and name of every table and view, schemas in the order of the configuration."""
        present = connection.execute(
            "select schema_name from information_schema.schemata "
            "where catalog_name = current_database()"
        ).fetchall()
        known = {name for (name,) in present}
        for schema in self.schemas:
            if schema in OWN_SCHEMAS:
                raise SourceError(
                    f"schema {schema} belongs to the warehouse itself. "
                    "Put the source tables into a schema of their own."
                )
            if schema not in known:
                raise SourceError(
                    f"There is no schema {schema} in the warehouse. Schemas found: "
                    f"{', '.join(sorted(known - OWN_SCHEMAS))}. Correct `schema` in config.yml."
                )
        found: list[tuple[str, str]] = []
        for schema in self.schemas:
            found += connection.execute(
                "select table_schema, table_name from information_schema.tables "
                "where table_catalog = current_database() and table_schema = ? "
                "order by table_name",
                [schema],
            ).fetchall()
        return found


def _part(relation: str, shape: Shape, connection: duckdb.DuckDBPyConnection) -> Part:
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = [(row[0], row[1]) for row in described]
    origin = relation.replace('"', "")
    names = canonical_names((name for name, _ in columns), shape, origin)
    return Part(origin, names, text_select(relation, columns, names, shape))
