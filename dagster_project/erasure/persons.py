"""Everything by which persons to be erased are known: records, orders, identifiers, raw rows.

Add here where else a person may have left a key. Finding the person that somebody asks for stays
out (search.py), and so does the removal (rewriting.py, files.py). All of it is kept in temporary
tables of a connection in memory, whose names begin with `gone_`.
"""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from dagster_project.erasure.columns import (
    KEY_TYPES,
    Table,
    any_of,
    identifier_conditions,
    key_conditions,
    named,
    order_conditions,
    record_conditions,
    tables_of,
)
from dagster_project.erasure.keys import text_form
from dagster_project.erasure.telephones import could_be_one, phone_form, without_country
from dagster_project.sql_text import literal, quoted

OLD = "old"
ORDERS = ("staging", "orders_checked")
REFUNDS = ("staging", "refunds_checked")
LEDGER = ("marts", "fct_revenue_ledger")
_TEMPORARY = """
create or replace temp table gone_customers (customer_id varchar);
create or replace temp table gone_requests (request_id varchar);
create or replace temp table gone_records (source_system varchar, source_record_id varchar);
create or replace temp table gone_lone_records (source_record_id varchar);
create or replace temp table gone_orders (
    source_system varchar, order_id varchar, warehouse_order_id varchar);
create or replace temp table gone_events (event_type varchar, event_id varchar);
create or replace temp table gone_values (key_type varchar, value varchar, spelling varchar);
create or replace temp table gone_rows (table_name varchar, row_number bigint);
create or replace temp table gone_lines (table_name varchar, row_number bigint);
"""
# Records that other persons hold today; what names these is not erased.
_LIVING = (
    "select source_system, source_record_id, customer_id from old.identity.customers_map "
    "where customer_id not in (select customer_id from gone_customers)"
)


def gather(
    connection: duckdb.DuckDBPyConnection,
    customers: Iterable[str],
    values: Iterable[tuple[str, str]] = (),
    requests: Iterable[str] = (),
) -> None:
    """Fill the `gone_` tables from the warehouse attached as `old`.

    What a person shares with others (a family's telephone, a tablet in the kitchen) is not theirs
    to take along, and is left out.

    Parameters
    ----------
    values
        Key type and normal form of identifiers that no accepted record has, only refused rows;
        telephones with a + when the country is known.
    """
    connection.execute(_TEMPORARY)
    for table, known in (("gone_customers", customers), ("gone_requests", requests)):
        if rows := [[value] for value in known]:
            connection.executemany(f"insert into {table} values (?)", rows)
    for key_type, value in values:
        forms = [value]
        if value.startswith("+"):
            forms = [value[1:], without_country(value[1:])]
        connection.executemany(
            "insert into gone_values values (?, ?, ?)", [[key_type, form, form] for form in forms]
        )
    tables = tables_of(connection, OLD)
    _gather_ids_and_records(connection, [table for table in tables if table.schema == "identity"])
    staged = [table for table in tables if table.schema == "staging" and table.has_provenance]
    _gather_refused_records(connection, staged)
    _gather_orders(connection, {(table.schema, table.name) for table in tables})
    _gather_events(connection, {(table.schema, table.name): table for table in tables})
    # The second pass finds what stands on rows that only an identifier ties to the person.
    for _ in range(2):
        for table in staged:
            _gather_values(connection, table)
        _gather_linked_values(connection, {(table.schema, table.name) for table in tables})
        _gather_full_numbers(connection)
        _leave_shared_values(connection, staged)
    for table in staged:
        rows = any_of(key_conditions(table.columns))
        connection.execute(
            "insert into gone_rows select distinct source_table, source_row_number "
            f"from {OLD}.{table.full_name} where {rows}"
        )


def _gather_ids_and_records(connection: duckdb.DuckDBPyConnection, identity: list[Table]) -> None:
    """Former ids of the persons, and their records, from every table that pairs both."""
    linked = [table for table in identity if "customer_id" in table.columns]
    # Twice, because a record found by a former id may carry another one.
    for _ in range(2):
        for table in linked:
            if "old_customer_id" in table.columns:
                connection.execute(
                    "insert into gone_customers select distinct old_customer_id "
                    f"from {OLD}.{table.full_name} where customer_id in "
                    "(select customer_id from gone_customers) and old_customer_id not in "
                    "(select customer_id from gone_customers) and old_customer_id not in "
                    "(select customer_id from old.identity.customers_map)"
                )
            if {"source_system", "source_record_id"} <= set(table.columns):
                connection.execute(
                    "insert into gone_records select distinct source_system, source_record_id "
                    f"from {OLD}.{table.full_name} where source_record_id is not null "
                    "and customer_id in (select customer_id from gone_customers) "
                    "and (source_system, source_record_id) not in "
                    f"(select (source_system, source_record_id) from ({_LIVING})) except "
                    "select source_system, source_record_id from gone_records"
                )
                connection.execute(
                    "insert into gone_customers select distinct customer_id "
                    f"from {OLD}.{table.full_name} where (source_system, source_record_id) in "
                    "(select (source_system, source_record_id) from gone_records) "
                    f"and customer_id not in (select customer_id from ({_LIVING})) "
                    "except select customer_id from gone_customers"
                )
    connection.execute(
        "insert into gone_lone_records select distinct source_record_id from gone_records "
        "where source_system <> 'device' and source_record_id not in (select source_record_id "
        "from old.identity.source_records where (source_system, source_record_id) not in "
        "(select (source_system, source_record_id) from gone_records))"
    )


def _gather_refused_records(connection: duckdb.DuckDBPyConnection, staged: list[Table]) -> None:
    """Records of refused rows with an identifier that was asked for and that no person has.

    Landing knows them again by the record: a telephone alone withholds nobody's record.
    """
    for table in staged:
        if {"source_system", "source_record_id", "failed_rule"} <= set(table.columns):
            theirs = any_of(identifier_conditions(table.columns))
            connection.execute(
                "insert into gone_records select distinct source_system, source_record_id "
                f"from {OLD}.{table.full_name} where failed_rule is not null "
                f"and source_record_id is not null and {theirs} "
                "and (source_system, source_record_id) not in "
                f"(select (source_system, source_record_id) from ({_LIVING})) "
                "except select * from gone_records"
            )


def _gather_orders(connection: duckdb.DuckDBPyConnection, present: set[tuple[str, str]]) -> None:
    connection.execute(
        "insert into gone_orders select source_system, substr(source_record_id, 7), "
        "source_system || ':' || substr(source_record_id, 7) "
        "from gone_records where source_record_id like 'order:%'"
    )
    if ORDERS not in present:
        return
    theirs = record_conditions({"source_system": "", "source_record_id": ""})
    if ("marts", "fct_orders") in present:
        theirs.append(
            "source_system || ':' || order_id in (select order_id from old.marts.fct_orders "
            "where customer_id in (select customer_id from gone_customers))"
        )
    connection.execute(
        "insert into gone_orders select distinct source_system, order_id, "
        f"source_system || ':' || order_id from {OLD}.{'.'.join(ORDERS)} "
        f"where order_id is not null and {any_of(theirs)} except select * from gone_orders"
    )


def _gather_events(
    connection: duckdb.DuckDBPyConnection, tables: dict[tuple[str, str], Table]
) -> None:
    """Their orders and refunds as the ledger names them: its memory knows no person."""
    events = ["select 'order', warehouse_order_id from gone_orders"]
    if LEDGER in tables:
        events.append(
            f"select event_type, event_id from {OLD}.{'.'.join(LEDGER)} "
            "where customer_id in (select customer_id from gone_customers)"
        )
    if (refunds := tables.get(REFUNDS)) and "refund_id" in refunds.columns:
        theirs = any_of(record_conditions(refunds.columns) + order_conditions(refunds.columns))
        events.append(
            "select 'refund', source_system || ':' || refund_id "
            f"from {OLD}.{refunds.full_name} where {theirs}"
        )
    connection.execute(f"insert into gone_events {' union '.join(events)}")


def _gather_values(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Identifiers on the rows of a staged table that are the person's."""
    rows = any_of(key_conditions(table.columns))
    for key_type, form, spelling, extra in _identifiers(table.columns):
        connection.execute(
            f"insert into gone_values select distinct {key_type}, {form}, {spelling} "
            f"from {OLD}.{table.full_name} where {rows} and {extra} and {form} is not null "
            "except select * from gone_values"
        )


def _identifiers(columns: dict[str, str]) -> list[tuple[str, str, str, str]]:
    """SQL of key type, normal form and spelling of each identifier of a staged table."""
    found = []
    for identifier, key_type in KEY_TYPES.items():
        form = phone_form if key_type == "phone" else text_form
        for name, _ in named(columns, identifier):
            if columns[name] == "VARCHAR":
                found.append((literal(key_type), form(quoted(name)), quoted(name), "true"))
    if {"identifier_type", "identifier_value"} <= set(columns):
        value = quoted("identifier_value")
        is_phone = "lower(identifier_type) = 'phone'"
        found.append(("'phone'", phone_form(value), value, is_phone))
        found.append(("'text'", text_form(value), value, f"{is_phone} is not true"))
    return found


def _gather_linked_values(
    connection: duckdb.DuckDBPyConnection, present: set[tuple[str, str]]
) -> None:
    """Devices, and identifiers in the forms that record linkage compares."""
    connection.execute(
        "insert into gone_values select distinct 'text', lower(source_record_id), source_record_id "
        "from gone_records where source_system = 'device' except select * from gone_values"
    )
    if ("identity", "record_identifiers") in present:
        connection.execute(
            "insert into gone_values select distinct 'text', lower(identifier_value), "
            "identifier_value from old.identity.record_identifiers "
            f"where {any_of(record_conditions({'source_system': '', 'source_record_id': ''}))} "
            "except select * from gone_values"
        )


def _gather_full_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Telephones with and without the code of their country, where that is known."""
    rows = connection.execute(
        f"select distinct number from known_numbers where {phone_form('spelling')} in "
        "(select value from gone_values where key_type = 'phone') order by 1"
    ).fetchall()
    for (number,) in rows:
        for form in (number, without_country(number)):
            connection.execute(
                "insert into gone_values select 'phone', $1, $1 where $1 not in "
                "(select value from gone_values where key_type = 'phone')",
                [form],
            )


def _leave_shared_values(connection: duckdb.DuckDBPyConnection, staged: list[Table]) -> None:
    """Drop what also stands on accepted rows of living persons."""
    others = [
        f"select 'text' as key_type, lower(source_record_id) as value from ({_LIVING}) "
        "where source_system = 'device'"
    ]
    for table in staged:
        owners = ["source_record_id"] if "source_record_id" in table.columns else []
        if (table.schema, table.name) == ORDERS:
            owners.append("order_id")
        if not owners or "failed_rule" not in table.columns:
            continue
        theirs = any_of(record_conditions(table.columns) + order_conditions(table.columns))
        owned = " or ".join(f"{name} is not null" for name in owners)
        others += [
            f"select {key_type}, {form} from {OLD}.{table.full_name} "
            f"where failed_rule is null and ({owned}) and not {theirs} and {extra}"
            for key_type, form, _, extra in _identifiers(table.columns)
        ]
    if connection.execute(
        "select 1 from duckdb_tables() where database_name = 'old' and schema_name = 'identity' "
        "and table_name = 'record_identifiers'"
    ).fetchall():
        others.append(
            "select 'text', lower(identifier_value) from old.identity.record_identifiers "
            "where (source_system, source_record_id) not in "
            "(select (source_system, source_record_id) from gone_records)"
        )
    connection.execute(
        f"delete from gone_values where (key_type, value) in (select (key_type, value) from "
        f"({' union all '.join(others)}))"
    )
    # A family writes its number now with the country's code and now without.
    connection.execute(
        "delete from gone_values where key_type = 'phone' and exists (select 1 from "
        f"({' union all '.join(others)}) as other where other.key_type = 'phone' "
        f"and {could_be_one('gone_values.value', 'other.value')})"
    )
