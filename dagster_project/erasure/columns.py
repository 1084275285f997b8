"""Which columns name a person, read from the catalogue of a database, and the rows they condemn.

Add here a kind of column by which rows belong to a person; a table that is added later is then
covered by its columns. Who the person is stays out (persons.py), and so does what is done to the
rows (rewriting.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from dagster_project.erasure.keys import text_form
from dagster_project.erasure.telephones import phone_form
from dagster_project.source_contract import SHAPES
from dagster_project.sql_text import literal, quoted

# What the contract accepts instead of a record key: e-mail, phone, loyalty card, device.
IDENTIFIERS = sorted(
    {name for shape in SHAPES.values() for name in shape.any_of} - {"source_record_id", "order_id"}
)
KEY_TYPES = {name: "phone" if name == "phone" else "text" for name in IDENTIFIERS}
PROVENANCE = ("source_table", "source_row_number")
SKIPPED_SCHEMAS = ("information_schema", "pg_catalog")


@dataclass(frozen=True)
class Table:
    """A table of the catalogue: its columns with their types."""

    schema: str
    name: str
    columns: dict[str, str] = field(compare=False)

    @property
    def full_name(self) -> str:
        """Schema and table, quoted."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def text_columns(self) -> list[str]:
        """Columns that could hold an identifier in clear."""
        return [name for name, kind in self.columns.items() if "VARCHAR" in kind or kind == "JSON"]

    @property
    def has_provenance(self) -> bool:
        """Whether each row says which raw row it comes from."""
        return set(PROVENANCE) <= set(self.columns)


def tables_of(connection: duckdb.DuckDBPyConnection, database: str) -> list[Table]:
    """All tables of an attached database, in order of their names."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for schema, name, column, kind in connection.execute(
        "select c.schema_name, c.table_name, c.column_name, c.data_type from duckdb_columns() as c "
        "join duckdb_tables() as t using (database_name, schema_name, table_name) "
        "where c.database_name = ? order by 1, 2, c.column_index",
        [database],
    ).fetchall():
        if schema not in SKIPPED_SCHEMAS:
            found.setdefault((schema, name), {})[column] = kind
    return [Table(schema, name, columns) for (schema, name), columns in found.items()]


def named(columns: dict[str, str], base: str) -> list[tuple[str, str | None]]:
    """Columns called `base`, also with a word before or behind, each with its source system.

    `left_source_record_id` goes with `left_source_system`, `source_record_id_l` with
    `source_system_l`, and `old_customer_id` is a customer_id.
    """
    found = []
    for name in columns:
        match = re.fullmatch(rf"(.*_)?{base}(_.*)?", name.lower())
        if match:
            system = f"{match[1] or ''}source_system{match[2] or ''}"
            partner = next((c for c in columns if c.lower() == system), None)
            found.append(
                (name, partner or ("source_system" if "source_system" in columns else None))
            )
    return found


def record_conditions(columns: dict[str, str]) -> list[str]:
    """SQL conditions by which a row names one of `gone_records`."""
    conditions = []
    for name, system in named(columns, "source_record_id"):
        lone = f"{quoted(name)} in (select source_record_id from gone_lone_records)"
        if system is None:
            conditions.append(lone)
            continue
        conditions.append(
            f"({quoted(system)}, {quoted(name)}) in "
            "(select (source_system, source_record_id) from gone_records)"
        )
        conditions.append(f"({quoted(system)} is null and {lone})")
    return conditions


def order_conditions(columns: dict[str, str]) -> list[str]:
    """SQL conditions by which a row names one of `gone_orders`."""
    conditions = []
    for name, system in named(columns, "order_id"):
        conditions.append(f"{quoted(name)} in (select warehouse_order_id from gone_orders)")
        if system:
            conditions.append(
                f"({quoted(system)}, {quoted(name)}) in "
                "(select (source_system, order_id) from gone_orders)"
            )
    return conditions


def identifier_conditions(columns: dict[str, str]) -> list[str]:
    """SQL conditions by which a row carries an identifier that is the person's alone."""
    conditions = []
    for identifier, key_type in KEY_TYPES.items():
        form = phone_form if key_type == "phone" else text_form
        for name, _ in named(columns, identifier):
            if columns[name] == "VARCHAR":
                conditions.append(
                    f"{form(quoted(name))} in "
                    f"(select value from gone_values where key_type = {literal(key_type)})"
                )
    return conditions


def key_conditions(columns: dict[str, str]) -> list[str]:
    """SQL conditions by which a row is the person's: records, orders, identifiers."""
    return record_conditions(columns) + order_conditions(columns) + identifier_conditions(columns)


def condition(table: Table, needles: Sequence[str]) -> str:
    """SQL that is true for rows to be erased and false for all others.

    Parameters
    ----------
    needles
        Regular expressions of everything that names the person wherever it stands.
    """
    conditions = [
        f"{quoted(name)} in (select customer_id from gone_customers)"
        for name, _ in named(table.columns, "customer_id")
    ]
    conditions += key_conditions(table.columns)
    if table.has_provenance:
        # Rejected lines are numbered by line, not by row, so each looks in its own list.
        found = "(source_table, source_row_number) in (select (table_name, row_number) from {})"
        if "failed_rule" in table.columns:
            is_line = "failed_rule is not distinct from 'unreadable_line'"
            conditions.append(f"({is_line} and {found.format('gone_lines')})")
            conditions.append(f"(not {is_line} and {found.format('gone_rows')})")
        else:
            conditions.append(found.format("gone_rows"))
    # Room models names events without persons; web and message events are no ledger events.
    if table.schema == "models" and {"event_type", "event_id"} <= set(table.columns):
        conditions.append(
            "(event_type, event_id) in (select (event_type, event_id) from gone_events)"
        )
    if "request_id" in table.columns:
        conditions.append("request_id in (select request_id from gone_requests)")
    conditions += [mentions(name, needles) for name in table.text_columns]
    return any_of(conditions)


def mentions(column: str, needles: Sequence[str]) -> str:
    """SQL that is true where a text names the person."""
    text = f"cast({quoted(column)} as varchar)"
    return any_of([f"regexp_matches({text}, {literal(needle)})" for needle in needles])


def any_of(conditions: list[str]) -> str:
    """Conditions joined by OR, NULL counting as false."""
    return f"coalesce({' or '.join(conditions)}, false)" if conditions else "false"
