"""Remembering the erased as keyed hashes, and finding their raw rows by them.

Add here what else must be remembered of an erased person. The rows are found by the same conditions
that landing uses (withholding.py), so what is erased today is what is withheld tomorrow; a row that
only its staged row ties to the person is erased all the same, and reported.
"""

from __future__ import annotations

import duckdb

from dagster_project.erasure.columns import Table, mentions
from dagster_project.erasure.needles import Needles
from dagster_project.erasure.raw_columns import (
    KeyColumn,
    contract_columns,
    learned_columns,
    row_condition,
)
from dagster_project.result_tables import ERASURE_COLUMNS, ERASURES
from dagster_project.sql_text import literal, quoted

_REMEMBERED = """
create or replace temp table erased_columns (
    table_name varchar, column_name varchar, key_type varchar, source_system varchar);
create or replace temp table new_keys as
select distinct key_type, source_system, erased_hash(key_type, key_value) as key_hash from (
    select
        'record' as key_type, source_system, source_system || '|' || source_record_id as key_value
    from gone_records where source_system <> 'device' and source_record_id not like 'order:%'
    union all select 'record_id', null, source_record_id from gone_lone_records
    union all select 'order', source_system, source_system || '|' || order_id from gone_orders
    union all select key_type, null, value from gone_values
    union all select 'request', null, request_id from gone_requests
);
create or replace temp table erased_keys as select key_hash from new_keys;
create or replace temp table erased_orders as select source_system, order_id from gone_orders;
create or replace temp table new_erasure as
select 'e_' || left(erased_hash('erasure', coalesce(min(customer_id), (
    select min(value) from gone_values))), 16) as erasure_id, {check} as key_check
from gone_customers;
"""


def mark_raw_rows(
    connection: duckdb.DuckDBPyConnection,
    raw: list[Table],
    learned: list[tuple[str, str, str, str | None]],
    needles: Needles,
    check: str,
) -> dict[str, int]:
    """Add to `gone_rows` and `gone_lines` what the keyed hashes find in raw.

    Returns
    -------
    dict
        Per raw table the rows that only staging ties to the person: landing would not know them.
    """
    connection.execute(_REMEMBERED.format(check=literal(check)))
    columns: dict[str, list[KeyColumn]] = {}
    for table_name, name, key_type, system in learned:
        connection.execute(
            "insert into erased_columns values (?, ?, ?, ?)", [table_name, name, key_type, system]
        )
        key = KeyColumn(name, key_type, "null" if system is None else literal(system))
        columns.setdefault(table_name, []).append(key)
    returning = {}
    for table in raw:
        if table.name == "rejected_lines":
            connection.execute(
                "insert into gone_lines select table_name, line_number from old.raw.rejected_lines "
                f"where {mentions('raw_line', needles.patterns)}"
            )
        if "_row_number" not in table.columns:
            continue
        names = list(table.columns)
        keys = contract_columns(table.name, names) + learned_columns(columns, table.name, names)
        found = row_condition(table.name, keys, names)
        known = f"select row_number from gone_rows where table_name = {literal(table.name)}"
        source = f"old.raw.{quoted(table.name)}"
        unknown = connection.execute(
            f"select count(*) from {source} where _row_number in ({known}) and not {found}"
        ).fetchall()[0][0]
        if unknown:
            returning[table.name] = int(unknown)
        connection.execute(
            f"insert into gone_rows select {literal(table.name)}, _row_number from {source} "
            f"where {found} and _row_number not in ({known})"
        )
    return returning


def remember(connection: duckdb.DuckDBPyConnection, database: str) -> None:
    """Add the keys of this erasure, and what mapped columns hold, to a rewritten warehouse."""
    erasures = f"{database}.{ERASURES.full_name}"
    connection.execute(
        f"insert into {erasures} select erasure_id, key_type, source_system, key_hash, key_check, "
        "(select max(fingerprint) from old.raw.landed_dataset) "
        "from new_keys cross join new_erasure "
        f"where key_hash not in (select key_hash from {erasures}) order by key_type, key_hash"
    )
    mapped = f"{database}.{ERASURE_COLUMNS.full_name}"
    connection.execute(
        f"insert into {mapped} select * from erased_columns except select * from {mapped}"
    )
