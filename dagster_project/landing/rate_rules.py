"""Which delivered rows name a currency that has no rate on their day, before anything is run.

Add here what check-source must know of exchange rates; the rule itself is that of
dbt/macros/row_rules.sql. Rules of a row alone are in row_rules.py.
"""

from collections.abc import Collection

import duckdb

from dagster_project.landing.row_rules import filled, readable
from dagster_project.source_contract import SHAPES, Shape
from dagster_project.sql_text import literal

# The column whose business day needs a rate, as in the checked models of dbt.
CURRENCY_DAYS = {"orders": "ordered_at", "refunds": "refunded_at"}
FIRST_RATES = "first_rates"


def keep_first_rates(
    connection: duckdb.DuckDBPyConnection, rows: str | None, delivered: Collection[str]
) -> None:
    """Note the first day of each currency's rates in a temporary table; none without `rows`.

    Parameters
    ----------
    rows
        SELECT of the delivered exchange rates as text.
    delivered
        Their columns.
    """
    connection.execute(
        f"create or replace temp table {FIRST_RATES} (rated_currency varchar, first_date date)"
    )
    columns = {column.name: column for column in SHAPES["exchange_rates"].columns}
    if rows and set(columns) <= set(delivered):
        connection.execute(
            f"insert into {FIRST_RATES} select upper({filled(columns['currency_code'])}), "
            f"min(cast({readable(columns['rate_date'])} as date)) from ({rows}) "
            f"where {readable(columns['rate_to_reporting'])} > 0 group by 1"
        )


def lacks_rate(
    shape: Shape, delivered: Collection[str], reporting_currency: str, time_zone: str
) -> str | None:
    """SQL that is true for rows without a rate; None for a table that names no currency."""
    day_name = CURRENCY_DAYS.get(shape.name)
    if day_name is None or not {day_name, "currency_code"} <= set(delivered):
        return None
    columns = {column.name: column for column in shape.columns}
    currency, text = f"upper({filled(columns['currency_code'])})", filled(columns[day_name])
    # A text without a time is a day of the business already.
    day = (
        f"case when length({text}) <= 10 then try_cast({text} as date) "
        f"else cast(timezone({literal(time_zone)}, {readable(columns[day_name])}) as date) end"
    )
    rated = f"(select first_date from {FIRST_RATES} where rated_currency = {currency}) <= {day}"
    return f"{currency} <> {literal(reporting_currency)} and not coalesce({rated}, false)"
