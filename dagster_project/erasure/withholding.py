"""Landing without the erased: rows that name an erased person are never written.

Add here what a landing must hold back. Rows are filtered while they are read, because what DuckDB
has once written stays in its file after a delete. What the company's own system keeps is its own
affair; the landing report says how many rows were held back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import duckdb

from dagster_project.config import Config
from dagster_project.erasure.keys import (
    ErasureKeyError,
    define_hash,
    key_check,
    key_path,
    keyed_hash,
    load_key,
    text_form,
)
from dagster_project.erasure.raw_columns import (
    KeyColumn,
    contract_columns,
    erased,
    is_erased,
    learned_columns,
    row_condition,
    trimmed,
)
from dagster_project.erasure.telephones import phone_form, phone_of
from dagster_project.sql_text import literal, quoted

if TYPE_CHECKING:
    from dagster_project.landing.delivery import Part
    from dagster_project.source_contract import Shape

# Telephones are written with blanks and brackets in them.
NUMBERS = re.compile(r"\+?[0-9(][0-9 ().-]{5,22}[0-9]")
TOKENS = re.compile(r"[^\s,;|\"'<>()]+")
# A short number in a broken line may be anything; only in its own column is it a record.
TOKEN_LENGTH_MIN = 5


@dataclass
class Withholding:
    """The keys of all erased persons, ready to hold raw rows against.

    `learned` holds the key columns of mapped tables, by table.
    """

    cursor: duckdb.DuckDBPyConnection
    key: bytes
    hashes: frozenset[str]
    systems: tuple[str, ...]
    learned: dict[str, list[KeyColumn]] = field(default_factory=dict)

    def condition(self, table: str, delivered: Iterable[str]) -> str:
        """SQL that is true for rows of a raw table that must not be written."""
        names = list(delivered)
        columns = contract_columns(table, names) + learned_columns(self.learned, table, names)
        return row_condition(table, columns, names)

    def selected(self, table: str, part: Part) -> str:
        """The part's relation with e-mails and telephones blanked in columns that are no key.

        A row that merely mentions an erased person (a recommendation, say) stays another's row.
        """
        names = list(part.columns)
        keys = {c.name for c in contract_columns(table, names)}
        keys |= {c.name for c in learned_columns(self.learned, table, names)}
        columns = [
            quoted(name) if name in keys or name.startswith("identifier_") else _blanked(name)
            for name in names
        ]
        return f"select {', '.join(columns)} from ({part.relation})"

    def gather_orders(self, table: str, shape: Shape, parts: tuple[Part, ...]) -> None:
        """Note the orders of erased persons, whose lines and refunds name only the order."""
        for part in parts:
            names = list(part.columns)
            columns = contract_columns(table, names) + learned_columns(self.learned, table, names)
            orders = [column for column in columns if column.key_type == "order"]
            owners = [c for c in columns if c.key_type in ("record", "text", "phone")]
            # A refund may name an order that another person placed.
            if not orders or not owners or shape.name == "refunds":
                continue
            for order in orders:
                self.cursor.execute(
                    f"insert into erased_orders select distinct {trimmed(order.system)}, "
                    f"{trimmed(quoted(order.name))} from ({part.relation}) "
                    f"where {row_condition(table, columns, names)}"
                )

    def without_lines(self, part: Part) -> Part:
        """The part without rejected lines that name an erased person."""
        kept = tuple(line for line in part.rejected if not self.names_erased(line.raw_line))
        return part if len(kept) == len(part.rejected) else replace(part, rejected=kept)

    def names_erased(self, text: str) -> bool:
        """Whether any word of a text is a key of an erased person."""
        numbers = {phone_of(run) for run in NUMBERS.findall(text) + TOKENS.findall(text)}
        if any(keyed_hash(self.key, "phone", str(one)) in self.hashes for one in numbers if one):
            return True
        for token in TOKENS.findall(text):
            tried = [("text", token.lower())]
            if len(token) >= TOKEN_LENGTH_MIN:
                tried += [("record_id", token)]
                tried += [
                    (kind, f"{system}|{token}")
                    for system in self.systems
                    for kind in ("record", "order")
                ]
            if any(keyed_hash(self.key, *pair) in self.hashes for pair in tried):
                return True
        return False


def withholding(cursor: duckdb.DuckDBPyConnection, config: Config) -> Withholding | None:
    """What must be withheld from this warehouse; None, at no cost, when nobody was erased.

    Raises
    ------
    ErasureKeyError
        When persons were erased and their key file is missing or another one.
    """
    try:
        rows = cursor.execute(
            "select distinct key_hash, source_system, key_check from identity.erasures"
        ).fetchall()
    except duckdb.CatalogException:
        return None
    if not rows:
        return None
    key = load_key(config)
    if {check for _, _, check in rows} != {key_check(key)}:
        raise ErasureKeyError(
            f"{key_path(config)} is not the key file by which the persons erased from "
            f"{config.warehouse_path} are recognised. Nothing is landed; put the right one back."
        )
    define_hash(cursor, key)
    cursor.execute(
        "create or replace temp table erased_keys as select key_hash from identity.erasures"
    )
    cursor.execute(
        "create or replace temp table erased_orders (source_system varchar, order_id varchar)"
    )
    learned: dict[str, list[KeyColumn]] = {}
    for table, name, key_type, system in cursor.execute(
        "select table_name, column_name, key_type, source_system from identity.erasure_columns "
        "order by all"
    ).fetchall():
        column = KeyColumn(name, key_type, "null" if system is None else literal(system))
        learned.setdefault(table, []).append(column)
    hashes = frozenset(row[0] for row in rows)
    systems = tuple(sorted({row[1] for row in rows if row[1] is not None}))
    return Withholding(cursor, key, hashes, systems, learned)


def _blanked(name: str) -> str:
    # The CASE stands inside the hash: a subquery would have the hash of every cell computed first.
    column = quoted(name)
    email = f"case when {column} like '%@%' then {text_form(column)} end"
    is_phone = f"regexp_full_match({column}, '[+0-9 ()./-]{{9,20}}')"
    phone = f"case when {is_phone} then {phone_form(column)} end"
    found = erased([is_erased("text", email), is_erased("phone", phone)])
    return f"case when {found} then null else {column} end as {column}"
