"""Who is meant: from an e-mail, a telephone, a card, a device or a record to the person.

Add here a way to name a person. An identifier that several persons share is refused, never
guessed; what is then removed is decided in persons.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from dagster_project.erasure.columns import Table, named, tables_of
from dagster_project.erasure.keys import text_form
from dagster_project.erasure.telephones import could_be_one, full_number, phone_form, phone_of
from dagster_project.sql_text import literal, quoted

REQUESTS = "staging.erasure_requests_checked"
PHONES = '"identity"."phone_numbers"'


class UnknownPersonError(LookupError):
    """Nobody, or more than one person, has the identifier."""


@dataclass(frozen=True)
class Asked:
    """An identifier as it was given: email, phone, loyalty_id, device_id, record, customer_id.

    `country` is that of telephone numbers that name none.
    """

    kind: str
    value: str
    country: str | None = None

    @property
    def key_type(self) -> str:
        """Type of its keyed hash."""
        return "phone" if self.kind == "phone" else "text"

    @property
    def form(self) -> str:
        """Its normal form."""
        text = self.value.strip()
        if self.kind != "phone":
            return text.lower()
        return full_number(text, self.country) or phone_of(text) or ""


def persons_with(connection: duckdb.DuckDBPyConnection, asked: Asked) -> list[str]:
    """Ids of the persons in the warehouse attached as `old` who have the identifier."""
    if asked.kind == "customer_id":
        return _ids(connection, "customer_id = ?", [asked.value]) or _former(
            connection, asked.value
        )
    if asked.kind == "source_record_id":
        return _ids(connection, "source_record_id = ? and source_system <> 'device'", [asked.value])
    if asked.kind == "record":
        system, _, record = asked.value.partition(":")
        return _ids(connection, "source_system = ? and source_record_id = ?", [system, record])
    owners = [
        f"select source_system, source_record_id from ({rows})"
        for table in _staged(connection)
        if (rows := _owned_rows(table, asked))
    ]
    if asked.kind == "device_id":
        owners.append(f"select 'device', {literal(asked.value.strip())}")
    pairs = " union ".join(owners)
    return _ids(
        connection,
        f"(source_system, source_record_id) in (select (source_system, source_record_id) "
        f"from ({pairs}))",
        [],
    )


def is_on_refused_rows(connection: duckdb.DuckDBPyConnection, asked: Asked) -> bool:
    """Whether any staged row, accepted or not, carries the identifier."""
    return any(
        connection.execute(f"select 1 from ({rows}) limit 1").fetchall()
        for table in _staged(connection)
        if (rows := _rows(table, asked)) and f"{table.schema}.{table.name}" != REQUESTS
    )


def open_requests(
    connection: duckdb.DuckDBPyConnection, country: str | None = None
) -> list[tuple[str, Asked]]:
    """Accepted erasure requests of the source: id of the request, and whom it names."""
    if not any(f"{table.schema}.{table.name}" == REQUESTS for table in _staged(connection)):
        return []
    return [
        (request, Asked(kind.strip().lower(), value, country))
        for request, kind, value in connection.execute(
            "select request_id, identifier_type, identifier_value "
            f"from old.{REQUESTS} where failed_rule is null and identifier_type is not null "
            "and identifier_value is not null order by request_id"
        ).fetchall()
    ]


def the_one(connection: duckdb.DuckDBPyConnection, asked: Asked) -> tuple[str, str]:
    """Key type and value by which the person is to be forgotten.

    Raises
    ------
    UnknownPersonError
        When nobody has the identifier, or several persons share it.
    """
    know_numbers(connection)
    found = persons_with(connection, asked)
    if len(found) == 1:
        return "customer_id", found[0]
    if len(found) > 1:
        raise UnknownPersonError(
            f"this {asked.kind} belongs to {len(found)} persons ({', '.join(found)}). Name the one "
            "to forget with --customer-id; what they share with others stays."
        )
    if asked.kind in ("email", "phone", "loyalty_id", "device_id") and is_on_refused_rows(
        connection, asked
    ):
        number = asked.kind == "phone" and full_number(asked.value.strip(), asked.country)
        return asked.key_type, f"+{number}" if number else asked.form
    raise UnknownPersonError(
        f"nobody in the warehouse has this {asked.kind}: no record, no order, no refused row. "
        "Look at the spelling, or at identity.erasures: the person may be erased already."
    )


def know_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Full numbers of the telephones that linkage could read; none before its first run."""
    connection.execute(
        "create or replace temp table known_numbers "
        "(spelling varchar, home varchar, number varchar)"
    )
    if any(table.full_name == PHONES for table in tables_of(connection, "old")):
        connection.execute(
            "insert into known_numbers select phone, country_code, ltrim(e164, '+') "
            f"from old.{PHONES} where e164 is not null"
        )


def _former(connection: duckdb.DuckDBPyConnection, customer_id: str) -> list[str]:
    """The person an id was merged into, or the id itself when only the ledger of ids knows it."""
    present = {f"{table.schema}.{table.name}" for table in tables_of(connection, "old")}
    for table, former in (("superseded", "old_customer_id"), ("person_names", "customer_id")):
        if f"identity.{table}" not in present:
            continue
        found = connection.execute(
            f"select distinct customer_id from old.identity.{table} where {former} = ? order by 1",
            [customer_id],
        ).fetchall()
        if found:
            return [row[0] for row in found]
    return []


def _staged(connection: duckdb.DuckDBPyConnection) -> list[Table]:
    return [
        table
        for table in tables_of(connection, "old")
        if table.schema == "staging" and table.has_provenance
    ]


def _rows(table: Table, asked: Asked) -> str | None:
    """SQL of the rows of a staged table that carry the identifier."""
    country = "country_code" if "country_code" in table.columns else "''"
    matches = [
        _matches(asked, quoted(name), country)
        for name, _ in named(table.columns, asked.kind)
        if table.columns[name] == "VARCHAR"
    ]
    if {"identifier_type", "identifier_value"} <= set(table.columns):
        matches.append(
            f"(lower(identifier_type) = {literal(asked.kind)} "
            f"and {_matches(asked, 'identifier_value', None)})"
        )
    return f"select * from old.{table.full_name} where {' or '.join(matches)}" if matches else None


def _matches(asked: Asked, column: str, country: str | None) -> str:
    """SQL that is true where a column holds the identifier.

    A telephone whose full number is known is that number and no other; digits decide for the rest,
    where only a country code may be missing. An identifier may be of a record of any country.
    """
    if asked.kind != "phone":
        return f"{text_form(column)} = {literal(asked.form)}"
    number = full_number(asked.value.strip(), asked.country)
    alike = could_be_one(phone_form(column), literal(asked.form))
    if number is None:
        return alike
    own = "" if country is None else f"and home = coalesce({country}, '')"
    known = f"exists (select 1 from known_numbers where spelling = {column} {own}"
    return f"({known} and number = {literal(number)}) or (not {known}) and {alike}))"


def _owned_rows(table: Table, asked: Asked) -> str | None:
    """SQL of the records on those rows; a guest order is a record of its own."""
    rows = _rows(table, asked)
    if rows is None or not {"source_system", "source_record_id"} <= set(table.columns):
        return None
    record = "source_record_id"
    if "order_id" in table.columns:
        record = "coalesce(source_record_id, 'order:' || order_id)"
    return f"select source_system, {record} as source_record_id from ({rows})"


def _ids(connection: duckdb.DuckDBPyConnection, where: str, values: list[str]) -> list[str]:
    return [
        row[0]
        for row in connection.execute(
            f"select distinct customer_id from old.identity.customers_map where {where} order by 1",
            values,
        ).fetchall()
    ]
