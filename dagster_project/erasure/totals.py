"""What an erasure leaves behind in figures: the revenue of the erased, and counts that still agree.

Add here a total that must hold before and after; those of segments are in segment_totals.py. Totals
that earlier runs have written (portfolio, backtests) name nobody and stay, until their date is run
again; a cohort of nobody but the erased goes.
"""

from __future__ import annotations

import datetime as dt

import duckdb

from dagster_project.erasure.columns import Table, tables_of
from dagster_project.result_tables import (
    COHORT_LTV,
    CUSTOMER_LTV,
    ERASED_REVENUE,
    KPI_RECONCILIATION,
    PIPELINE_RUNS,
    PORTFOLIO_LTV,
    TABLE_LINEAGE,
)
from dagster_project.source_contract import SHAPES
from dagster_project.sql_text import literal

HOUSEHOLDS = "identity.households"
LEDGER = "marts.fct_revenue_ledger"
FEATURES = "marts.fct_customer_features"
RECONCILIATION = "staging.reconciliation"
OBSERVED = "observed revenue equals the ledger"


def present(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, set[str]]:
    """Column names of each table of an attached database, by schema.table."""
    found: dict[str, set[str]] = {}
    for schema, table, column in connection.execute(
        "select schema_name, table_name, column_name from duckdb_columns() where database_name = ?",
        [database],
    ).fetchall():
        found.setdefault(f"{schema}.{table}", set()).add(column)
    return found


def keep_revenue(
    connection: duckdb.DuckDBPyConnection, old: str, new: str, kept_in: str | None = None
) -> None:
    """Add the erased persons' part of the ledger to the months of models.erased_revenue.

    Ledger plus erased revenue is the company's revenue, before and after. `kept_in` is the database
    whose months are added to, when not `new` itself: a backup has no ledger to say its own.
    """
    tables = present(connection, old)
    if LEDGER not in tables:
        return
    target = f"{new}.{ERASED_REVENUE.full_name}"
    connection.execute(
        f"create or replace table {target} as "
        "select event_month, cast(sum(revenue_amount) as decimal(18, 2)) as revenue_amount, "
        "cast(sum(margin_amount) as decimal(18, 2)) as margin_amount from ("
        f"select * from {kept_in or new}.{ERASED_REVENUE.full_name} union all "
        "select cast(date_trunc('month', event_date) as date), revenue_amount, margin_amount "
        f"from {old}.{LEDGER} where customer_id in (select customer_id from gone_customers)"
        ") group by event_month order by event_month"
    )


def agree_again(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> None:
    """Take the erased persons' part out of both sides of the recorded reconciliation."""
    if not {FEATURES, KPI_RECONCILIATION.full_name} <= set(present(connection, old)):
        return
    connection.execute(
        f"update {new}.{KPI_RECONCILIATION.full_name} as kept set "
        "left_value = left_value - amount, right_value = right_value - amount "
        "from (select as_of_date, sum(observed_revenue_amount) as amount "
        f"from {old}.{FEATURES} where customer_id in (select customer_id from gone_customers) "
        "group by as_of_date) as gone "
        f"where gone.as_of_date = kept.as_of_date and check_name = '{OBSERVED}'"
    )


def cohorts_again(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> set[str]:
    """Drop the cohorts that held only erased persons, and have totals of their dates summed again.

    A cohort of one person is that person's purchase history by month.

    Returns
    -------
    set of str
        Tables (schema.table) that were written to.
    """
    tables = set(present(connection, old))
    if {CUSTOMER_LTV.full_name, TABLE_LINEAGE.full_name} <= tables:
        # Without its fingerprint the next run of the date sums those who are left.
        connection.execute(
            f"delete from {new}.{TABLE_LINEAGE.full_name} where table_name = ? and as_of_date in ("
            f"select as_of_date from {old}.{CUSTOMER_LTV.full_name} "
            "where customer_id in (select customer_id from gone_customers))",
            [PORTFOLIO_LTV.full_name],
        )
    if not {FEATURES, COHORT_LTV.full_name} <= tables:
        return set()
    cohort = (
        "as_of_date, cast(date_trunc('month', first_purchase_date) as date), "
        "coalesce(acquisition_channel, 'unknown')"
    )
    key = "(as_of_date, acquisition_month, acquisition_channel)"
    written = connection.execute(
        f"delete from {new}.{COHORT_LTV.full_name} where {key} in (select {cohort} "
        f"from {old}.{FEATURES} where customer_id in (select customer_id from gone_customers)) "
        f"and {key} not in (select {cohort} from {new}.{FEATURES} where purchase_days_count > 0)"
    ).fetchall()[0][0]
    return {COHORT_LTV.full_name} if written else set()


def households_again(connection: duckdb.DuckDBPyConnection, new: str) -> set[str]:
    """Count the erased out of the households of those who lived with them, and out of their names.

    A household is named by a hash of its eldest member (dbt/models/identity/households.sql). Until
    the next build the living would carry that of an erased person, by which whoever has kept the
    old id could still tell who lived with them.

    Returns
    -------
    set of str
        Tables (schema.table) that were written to.
    """
    if HOUSEHOLDS not in present(connection, "old"):
        return set()
    connection.execute(
        "create or replace temp table smaller_households as with "
        "seen as (select customer_id, min(first_seen_at) as first_seen_at "
        "from old.identity.customers_map group by customer_id), "
        "living as (select customer_id, persons_count, "
        "count(*) over (partition by household_id) as persons, "
        "first_value(customer_id) over (partition by household_id order by first_seen_at, "
        "customer_id rows between unbounded preceding and unbounded following) as eldest "
        f"from old.{HOUSEHOLDS} left join seen using (customer_id) "
        "where customer_id not in (select customer_id from gone_customers)) "
        "select customer_id, persons, "
        "'h_' || substr(md5('household ' || eldest), 1, 16) as household_name "
        "from living where persons < persons_count"
    )
    changed = set()
    # Views show the tables they read; only those can be written to.
    for table, columns in (
        (f"{found.schema}.{found.name}", set(found.columns)) for found in tables_of(connection, new)
    ):
        counts = "household_persons_count", "persons_count" if table == HOUSEHOLDS else ""
        said = {"household_id": "household_name"} | dict.fromkeys(counts, "persons")
        for name, value in said.items():
            if {"customer_id", name} <= columns:
                written = connection.execute(
                    f"update {new}.{table} as kept set {name} = {value} from smaller_households "
                    "where smaller_households.customer_id = kept.customer_id "
                    f"and kept.{name} {'>' if value == 'persons' else '<>'} {value}"
                ).fetchall()[0][0]
                changed |= {table} if written else set()
    return changed


def count_again(
    connection: duckdb.DuckDBPyConnection, old: str, new: str, doomed: dict[Table, str]
) -> None:
    """Take erased rows out of what landing and staging counted, so that rows in still add up.

    A reconciliation with other columns than these is left to the next build of staging.
    """
    for table, rows in doomed.items():
        if table.schema == "raw" and "_row_number" in table.columns:
            connection.execute(
                f"update {new}.raw.landed_tables set rows_landed = rows_landed - gone, "
                "rows_erased = coalesce(rows_erased, 0) + gone "
                f"from (select count(*) as gone from {old}.{table.full_name} where {rows}) "
                "where table_name = ?",
                [table.name],
            )
        if (table.schema, table.name) == ("raw", "rejected_lines"):
            connection.execute(
                f"update {new}.raw.landed_tables as landed set "
                "rows_rejected = rows_rejected - gone, "
                "rows_erased = coalesce(rows_erased, 0) + gone "
                f"from (select table_name, count(*) as gone from {old}.{table.full_name} "
                f"where {rows} group by table_name) as lines "
                "where lines.table_name = landed.table_name"
            )
    needed = {"source_table", "shape", "rows_in", "rows_accepted", "rows_quarantined"}
    if not needed <= present(connection, old).get(RECONCILIATION, set()):
        connection.execute(
            f"delete from {new}.{TABLE_LINEAGE.full_name} where table_name = 'dbt_staging'"
        )
        return
    has_repeated = "rows_repeated" in present(connection, old)[RECONCILIATION]
    repeated = ", rows_repeated = rows_repeated - again" if has_repeated else ""
    for table, rows in doomed.items():
        shape = table.name.removesuffix("_checked")
        if table.schema == "staging" and {"failed_rule", "source_table"} <= set(table.columns):
            quarantine = table.name == "quarantine"
            if quarantine == table.name.endswith("_checked"):
                continue
            where = "failed_rule = 'unreadable_line'" if quarantine else "true"
            connection.execute(
                f"update {new}.{RECONCILIATION} as kept set rows_in = rows_in - gone, "
                "rows_accepted = rows_accepted - accepted, "
                f"rows_quarantined = rows_quarantined - (gone - accepted){repeated} from ("
                f"select source_table, {'shape' if quarantine else repr(shape)} as shape, "
                "count(*) as gone, count(*) filter (failed_rule is null) as accepted, "
                "count(*) filter (failed_rule in ('duplicate', 'superseded')) as again "
                f"from {old}.{table.full_name} where {rows} and {where} group by all) as counted "
                "where counted.source_table = kept.source_table and counted.shape = kept.shape"
            )
    if "rows_compared" in present(connection, old)[RECONCILIATION]:
        shapes = ", ".join(literal(shape) for shape in SHAPES)
        connection.execute(
            f"update {new}.{RECONCILIATION} as kept set rows_compared = rows_in + coalesce(("
            f"select sum(rows_landed) from {new}.raw.landed_tables as landed "
            "where landed.table_name = kept.source_table and landed.table_name = kept.shape "
            f"and landed.table_name not in ({shapes})), 0)"
        )


def measure_again(connection: duckdb.DuckDBPyConnection, new: str, changed: set[str]) -> None:
    """Write down the rows and contents that the lineage of changed tables now has."""
    slices = connection.execute(
        f"select table_name, as_of_date from {new}.{TABLE_LINEAGE.full_name} "
        "where row_count is not null order by all"
    ).fetchall()
    for name, as_of in slices:
        if name not in changed:
            continue
        where = "true" if as_of is None else f"as_of_date = date '{as_of}'"
        connection.execute(
            f"update {new}.{TABLE_LINEAGE.full_name} set row_count = rows, content_hash = content "
            "from (select count(*) as rows, "
            "coalesce(cast(sum(cast(hash(t) as hugeint)) as varchar), '0') as content "
            f"from (select * from {new}.{name} where {where}) t) "
            "where table_name = ? and as_of_date is not distinct from ?",
            [name, as_of],
        )


def note_run(connection: duckdb.DuckDBPyConnection, new: str, run_id: str) -> None:
    """Write down that a run of the job `forget` wrote this file."""
    connection.execute(
        f"insert into {new}.{PIPELINE_RUNS.full_name} values (?, 'forget', null, ?)",
        [run_id, dt.datetime.now(dt.UTC).replace(tzinfo=None)],
    )
