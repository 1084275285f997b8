"""Which columns of a raw table name persons: by the contract, or learned from the staged rows.

Add here how a column of a raw table is recognised. What is done with its rows stays out
(withholding.py). A mapped table keeps its source's own column names, so what they hold is found by
comparing them with the staged rows that were made from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from dagster_project.erasure.columns import KEY_TYPES, Table, any_of, named
from dagster_project.erasure.keys import text_form
from dagster_project.erasure.telephones import phone_form
from dagster_project.source_contract import SHAPES
from dagster_project.sql_text import literal, quoted

ROLES = {"source_record_id": "record", "order_id": "order", **KEY_TYPES}
# Rows compared per staged table; a column that agrees on all of them holds the key.
SAMPLE_ROWS = 50_000


@dataclass(frozen=True)
class KeyColumn:
    """A column that holds keys of one type; `system` is SQL of their source system."""

    name: str
    key_type: str
    system: str = "null"

    @property
    def condition(self) -> str:
        """SQL that is true where the key is that of an erased person."""
        column = quoted(self.name)
        if self.key_type == "text":
            return is_erased("text", text_form(column))
        if self.key_type == "phone":
            return is_erased("phone", phone_form(column))
        # Staging trims its keys, so blanks around them make no other record.
        key, system = trimmed(column), trimmed(self.system)
        if self.key_type == "request":
            return is_erased("request", key)
        found = is_erased(self.key_type, f"{system} || '|' || {key}")
        if self.key_type == "record":
            lone = is_erased("record_id", key)
            return f"({found} or ({system} is null and {lone}))"
        seen = f"({system}, {key}) in (select (source_system, order_id) from erased_orders)"
        return f"({found} or {seen})"


def contract_columns(table: str, delivered: Iterable[str]) -> list[KeyColumn]:
    """Key columns of a table that is named after a shape."""
    if table not in SHAPES:
        return []
    columns = dict.fromkeys(delivered, "VARCHAR")
    # The left and right records of a decision are records too.
    found = [
        KeyColumn(name, key_type, quoted(system) if system else "null")
        for role, key_type in ROLES.items()
        for name, system in named(columns, role)
        if name in SHAPES[table].column_names
    ]
    # request_id is a key of the company's own; the identifier beside it may be shared with others.
    found += [KeyColumn(name, "request") for name in delivered if name == "request_id"]
    return found


def row_condition(table: str, columns: Iterable[KeyColumn], delivered: Iterable[str]) -> str:
    """SQL that is true for rows of a raw table that an erased person's keys condemn.

    A telephone does so alone only where the row says by nothing else whose it is: numbers get new
    owners, who are customers of their own.
    """
    names, keys = list(delivered), list(columns)
    owners = {key.name for key in keys if key.key_type in ("record", "text")}
    owners |= {"source_record_id"} & set(names)
    nobody = [f"nullif(trim({quoted(name)}), '') is null" for name in sorted(owners)]
    # Whose a row of a mapped table is may stand in a column that was not recognised.
    if not nobody and table not in SHAPES:
        nobody = ["false"]
    conditions = [
        " and ".join([key.condition, *nobody]) if key.key_type == "phone" else key.condition
        for key in keys
    ]
    return any_of([f"({one})" for one in conditions + identifier_rows(names, nobody)])


def identifier_rows(delivered: Iterable[str], nobody: Iterable[str] = ()) -> list[str]:
    """Conditions on tables that name an identifier's type beside it."""
    if not {"identifier_type", "identifier_value"} <= set(delivered):
        return []
    value = quoted("identifier_value")
    phone = ["lower(identifier_type) = 'phone'", is_erased("phone", phone_form(value)), *nobody]
    return [
        is_erased("text", text_form(value)),
        " and ".join(phone),
        f"lower(identifier_type) = 'source_record_id' and {is_erased('record_id', value)}",
    ]


def learned_columns(
    learned: Mapping[str, list[KeyColumn]], table: str, delivered: Iterable[str]
) -> list[KeyColumn]:
    """Key columns of a mapped table; one that no model reads takes those of its sister tables."""
    names = set(delivered)
    if table in learned:
        return [column for column in learned[table] if column.name in names]
    sisters = [
        column
        for other, columns in learned.items()
        if _are_sisters(table, other)
        for column in columns
        if column.name in names
    ]
    return list(dict.fromkeys(sisters))


def learn(
    connection: duckdb.DuckDBPyConnection, raw: Iterable[Table], staged: list[Table]
) -> list[tuple[str, str, str, str | None]]:
    """Rows of identity.erasure_columns for the raw tables that are not named after a shape."""
    found: dict[tuple[str, str, str, str | None], None] = {}
    for table in raw:
        if table.name in SHAPES or "_row_number" not in table.columns:
            continue
        for made in staged:
            for row in _agreeing(connection, table, made):
                found[row] = None
    return list(found)


def _agreeing(
    connection: duckdb.DuckDBPyConnection, table: Table, made: Table
) -> list[tuple[str, str, str, str | None]]:
    roles = [name for name in ROLES if name in made.columns]
    columns = table.text_columns
    if not roles or not columns:
        return []
    measures = [f"count(staged.{quoted(role)})" for role in roles]
    measures += [
        f"count(*) filter (trim(raw_row.{quoted(column)}) = staged.{quoted(role)})"
        for role in roles
        for column in columns
    ]
    has_system = "source_system" in made.columns
    measures.append("count(distinct source_system)" if has_system else "0")
    measures.append("min(source_system)" if has_system else "null")
    compared = ", ".join(quoted(name) for name in [*roles, *(["source_system"] * has_system)])
    row = connection.execute(
        f"select {', '.join(measures)} from old.raw.{quoted(table.name)} as raw_row "
        f"join (select source_row_number, {compared} from old.{made.full_name} "
        f"where source_table = ? limit {SAMPLE_ROWS}) as staged "
        "on raw_row._row_number = staged.source_row_number",
        [table.name],
    ).fetchall()[0]
    counts, matches, (systems, system) = row[: len(roles)], row[len(roles) : -2], row[-2:]
    found: list[tuple[str, str, str, str | None]] = []
    for number, role in enumerate(roles):
        for position, column in enumerate(columns):
            agreed = matches[number * len(columns) + position]
            if agreed and agreed == counts[number]:
                needs_system = ROLES[role] in ("record", "order")
                if not needs_system or systems == 1:
                    found.append(
                        (table.name, column, ROLES[role], system if needs_system else None)
                    )
    return found


def _are_sisters(table: str, other: str) -> bool:
    """Whether two raw tables come from one source, whose name both begin with."""
    return table not in SHAPES and table.split("_")[0] == other.split("_")[0]


def trimmed(column: str) -> str:
    """SQL of a key as staging keeps it (clean_text)."""
    return f"nullif(trim({column}), '')"


def is_erased(key_type: str, value: str) -> str:
    """SQL that is true where a value in its normal form is a key of an erased person."""
    return f"erased_hash({literal(key_type)}, {value}) in (select key_hash from erased_keys)"


def erased(conditions: Iterable[str]) -> str:
    """Conditions of key columns joined by OR, NULL counting as false."""
    return any_of(list(conditions))
