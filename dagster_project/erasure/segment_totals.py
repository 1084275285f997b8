"""What an erasure leaves of segments: sizes without the erased, and no amount of a single customer.

Add here a table that counts or sums the customers of a segment. Amounts of several customers stay
as earlier runs have written them, until their date is run again; whose amount remains alone, or was
alone, is taken away, since with it the erased person's own could be told.
"""

from __future__ import annotations

import duckdb

from dagster_project.erasure.totals import FEATURES, present
from dagster_project.migration_counts import moves_sql
from dagster_project.result_tables import (
    CUSTOMER_MICROSEGMENTS,
    CUSTOMER_POTENTIAL,
    CUSTOMER_SEGMENT_MEMBERSHIPS,
    MICROSEGMENT_POTENTIAL,
    MICROSEGMENTS,
    SEGMENT_DEFINITIONS,
    SEGMENT_MIGRATIONS,
    TABLE_LINEAGE,
)

GONE = "customer_id in (select customer_id from gone_customers)"
# Sums, members, what both are by, and what one member's row would tell.
COUNTED = (
    (MICROSEGMENTS, CUSTOMER_MICROSEGMENTS, ("microsegment_key",), ()),
    (
        SEGMENT_DEFINITIONS,
        CUSTOMER_SEGMENT_MEMBERSHIPS,
        ("segment",),
        ("observed_revenue_amount", "predicted_revenue_mean"),
    ),
    (
        MICROSEGMENT_POTENTIAL,
        CUSTOMER_POTENTIAL,
        ("microsegment_key", "horizon_days"),
        (
            "predicted_revenue_mean",
            "benchmark_gap_amount",
            "potential_uplift_mean",
            "potential_uplift_p05",
            "potential_uplift_p95",
            "leading_attributes",
        ),
    ),
)
MOVES_NEED = {
    SEGMENT_MIGRATIONS.full_name,
    CUSTOMER_MICROSEGMENTS.full_name,
    "predictions.customer_ltv",
    "identity.superseded",
    "models.promoted_dates",
}


def segments_again(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> set[str]:
    """Count segments and the moves between them without the erased.

    `old` holds the members as they were, `new` those who are left. Amounts of a row that stands for
    a single customer, before or after, become NULL.

    Returns
    -------
    set of str
        Tables (schema.table) that were written to.
    """
    tables = present(connection, old)
    changed = set()
    for sums, members, by, told in COUNTED:
        needed = {"as_of_date", "customer_id", *by}
        if sums.full_name not in tables or not needed <= tables.get(members.full_name, set()):
            continue
        key = ", ".join(("as_of_date", *by))
        same = " and ".join(f"gone.{name} = kept.{name}" for name in ("as_of_date", *by))
        hidden = "".join(
            f", {name} = case when least(customers_count, customers_count - gone.persons) > 1 "
            f"then {name} end"
            for name in told
        )
        compared = ""
        if sums is MICROSEGMENT_POTENTIAL:
            compared = ", compared_customers_count = compared_customers_count - gone.compared"
        with_peers = "count(benchmark_amount)" if compared else "0"
        written = connection.execute(
            f"update {new}.{sums.full_name} as kept set customers_count = customers_count - "
            f"gone.persons{compared}{hidden} from (select {key}, count(*) as persons, "
            f"{with_peers} as compared from {old}.{members.full_name} where {GONE} group by {key}) "
            f"as gone where {same} and customers_count is not null"
        ).fetchall()[0][0]
        changed |= {sums.full_name} if written else set()
    if {SEGMENT_DEFINITIONS.full_name, FEATURES} <= set(tables):
        # The base has shrunk for every segment of the date.
        written = connection.execute(
            f"update {new}.{SEGMENT_DEFINITIONS.full_name} as kept set customers_share = "
            "customers_count / greatest(base.persons, 1) from (select as_of_date, "
            "count(*) - count(*) filter (where is_gone) as persons from (select "
            f"as_of_date, {GONE} as is_gone from {old}.{FEATURES}) group by as_of_date "
            "having bool_or(is_gone)) as base where base.as_of_date = kept.as_of_date "
            "and customers_share is not null"
        ).fetchall()[0][0]
        changed |= {SEGMENT_DEFINITIONS.full_name} if written else set()
    if {m.full_name for m in (SEGMENT_MIGRATIONS, CUSTOMER_MICROSEGMENTS, TABLE_LINEAGE)} <= set(
        tables
    ):
        _moves_again(connection, old, new)
        changed |= {SEGMENT_MIGRATIONS.full_name}
    return changed


def _moves_again(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> None:
    """Take the erased out of the paths they went, and have such dates counted again.

    Where they went is found as at first, from the rows of their own. Probabilities stay: they are
    shrunk, and made again with the date.
    """
    moves = f"{new}.{SEGMENT_MIGRATIONS.full_name}"
    gone_on = f"(select as_of_date from {old}.{CUSTOMER_MICROSEGMENTS.full_name} where {GONE})"
    touched = f"(as_of_date in {gone_on} or from_date in {gone_on})"
    connection.execute(
        f"delete from {new}.{TABLE_LINEAGE.full_name} where table_name = ? and as_of_date in ("
        f"select as_of_date from {moves} where {touched})",
        [SEGMENT_MIGRATIONS.full_name],
    )
    connection.execute(
        f"update {moves} set value_before_amount = null, value_after_amount = null "
        f"where customers_count = 1 and {touched}"
    )
    if not set(present(connection, old)) >= MOVES_NEED:
        return
    _find_moves(connection, old, moves, touched)
    step = ("as_of_date", "period", "level", "cause", "from_key")
    path = (*step, "to_key", "from_stage", "to_stage")
    connection.execute(
        f"update {moves} as kept set from_customers_count = from_customers_count - gone.persons "
        f"from (select {', '.join(step)}, sum(persons) as persons from gone_moves "
        f"group by all) as gone where {_same(step)}"
    )
    connection.execute(
        f"update {moves} as kept set customers_count = customers_count - persons, "
        "value_before_amount = case when customers_count - persons > 1 then value_before_amount "
        "end, value_after_amount = case when customers_count - persons > 1 then value_after_amount "
        f"end from gone_moves as gone where {_same(path)}"
    )
    connection.execute(f"delete from {moves} where customers_count <= 0")
    connection.execute(
        f"update {moves} set share_of_from = customers_count / from_customers_count "
        f"where share_of_from is not null and from_customers_count > 0 and {touched}"
    )


def _find_moves(connection: duckdb.DuckDBPyConnection, old: str, moves: str, touched: str) -> None:
    """Count the erased on every path into the temporary table gone_moves."""
    steps = connection.execute(
        f"select distinct as_of_date, period, from_date, level from {moves} "
        f"where {touched} order by all"
    ).fetchall()
    connection.execute(
        "create or replace temp table gone_moves (as_of_date date, period varchar, level varchar, "
        "cause varchar, from_key varchar, to_key varchar, from_stage varchar, to_stage varchar, "
        "persons bigint)"
    )
    before = connection.execute("select current_database()").fetchall()[0][0]
    connection.execute(f"use {old}")
    try:
        for as_of_date, period, from_date, level in steps:
            sql = moves_sql(connection, from_date, as_of_date, level, 0, f"segments.{GONE}")
            connection.execute(
                "insert into temp.gone_moves select ?, ?, ?, cause, from_key, to_key, from_stage, "
                f"to_stage, customers_count from ({sql})",
                [as_of_date, period, level],
            )
    finally:
        connection.execute(f'use "{before}"')


def _same(names: tuple[str, ...]) -> str:
    return " and ".join(f"gone.{name} is not distinct from kept.{name}" for name in names)
