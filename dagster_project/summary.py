"""The one screen at the end of the main job.

Add a block here when a reader of the terminal must see something more. Figures come from the
warehouse, none is computed here.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from dagster_project.config import PROJECT_ROOT, Config
from dagster_project.summary_quality import quality_lines
from dagster_project.warehouse import Warehouse, open_warehouse

SOURCES = """
    select source_table, shape, rows_in, rows_accepted, rows_quarantined
    from staging.reconciliation where rows_in > 0 order by rows_in desc, source_table, shape
"""
MISSING = """
    select shape from staging.delivered_shapes where not is_delivered order by shape
"""
UNKNOWN = """
    select table_name, unknown_columns from raw.landed_tables
    where coalesce(unknown_columns, '') <> '' order by table_name
"""
WITHHELD = """
    select coalesce(sum(rows_erased), 0), count(*) from raw.landed_tables where rows_erased > 0
"""
COUNTS_WITHHELD = """
    select 1 from information_schema.columns
    where table_schema = 'raw' and table_name = 'landed_tables' and column_name = 'rows_erased'
"""
PORTFOLIO = """
    select * from predictions.portfolio_ltv where as_of_date = ? order by horizon_days
"""
CHANGE = """
    select * from predictions.portfolio_ltv where as_of_date = ? order by horizon_days desc limit 1
"""
SEGMENTS = """
    select segments.stage, microsegments.microsegment_key, microsegments.microsegment_name,
        count(*) as customers_count,
        sum(value.observed_revenue_amount) as observed_revenue_amount,
        sum(value.predicted_revenue_mean) as predicted_revenue_mean
    from predictions.customer_microsegments as segments
    join predictions.microsegments as microsegments using (microsegment_key, as_of_date)
    left join predictions.customer_ltv as value
        on value.customer_id = segments.customer_id and value.as_of_date = segments.as_of_date
        and value.horizon_days = ?
    where segments.as_of_date = ?
    group by all order by predicted_revenue_mean desc nulls last, microsegment_key
"""
MOVEMENT = """
    select count(*) filter (where stage <> previous_stage), count(previous_stage)
    from serving.customer_journey where as_of_date = ?
"""
PERSONS = """
    select count(*), count(distinct customer_id)
    from identity.customers_map
"""
UNDATED = "select count(*) from marts.dim_customers where first_seen_at is null and not is_test"
COUNTRIES = """
    select country_name, cast(sum(records_count) as bigint) from staging.unknown_countries
    group by country_name order by sum(records_count) desc, country_name limit 5
"""
# Made by staging since this release.
NAMES_COUNTRIES = """
    select 1 from information_schema.tables
    where table_schema = 'staging' and table_name = 'unknown_countries'
"""
EXAMPLE_QUERY = (
    "select stage, count(*) as customers, round(sum(predicted_revenue_90d_mean)) as value "
    "from serving.customer_360 group by stage order by value desc nulls last limit 3"
)
SEGMENT_LINES = 8
WIDTH = 100


def print_summary(
    config: Config, as_of_date: dt.date | None = None, console: Console | None = None
) -> None:
    """Print sources, persons, value, segments, places, and a query with its output."""
    console = console or Console(highlight=False, width=WIDTH)
    with open_warehouse(config.warehouse_path, read_only=True) as warehouse:
        as_of = as_of_date or warehouse.scalar(
            "select max(as_of_date) from models.promoted_dates where is_promoted"
        )
        if as_of is None:
            console.print("Nothing is promoted yet: run `clientela run` first.")
            return
        console.rule(f"Clientela: {config.dataset}, as of {as_of}")
        _print_sources(console, warehouse)
        for line in quality_lines(warehouse, config, as_of):
            console.print(line)
        _print_persons(console, warehouse)
        _print_value(console, warehouse, config, as_of)
        _print_segments(console, warehouse, config, as_of)
    _print_places(console, config)


def _print_sources(console: Console, warehouse: Warehouse) -> None:
    table = _table("Source table", "gives", ">rows in", ">accepted", ">quarantined")
    for source, shape, *counts in warehouse.frame(SOURCES).itertuples(index=False):
        table.add_row(source, shape, *(f"{int(value):,}" for value in counts))
    console.print(table)
    missing = warehouse.frame(MISSING)["shape"].tolist()
    if missing:
        console.print(f"Not delivered, so left out: {', '.join(missing)}.")
    for row in warehouse.frame(UNKNOWN).itertuples(index=False):
        console.print(f"Columns of {row[0]} that no model reads: {row[1]}.")
    if warehouse.connection.execute(NAMES_COUNTRIES).fetchall():
        unknown = warehouse.connection.execute(COUNTRIES).fetchall()
        told = ", ".join(f"{name} ({count:,} records)" for name, count in unknown)
        if told:
            console.print(f"Countries without a code, so left empty: {told}.")
    # An earlier release landed without counting them; its next run adds the column.
    counts = warehouse.connection.execute(COUNTS_WITHHELD).fetchall()
    withheld, tables = warehouse.connection.execute(WITHHELD).fetchall()[0] if counts else (0, 0)
    if withheld:
        console.print(f"Withheld: {withheld:,} rows of {tables} tables name erased persons.")


def _print_persons(console: Console, warehouse: Warehouse) -> None:
    records, persons = warehouse.connection.execute(PERSONS).fetchall()[0]
    undated = warehouse.scalar(UNDATED)
    told = f"{records:,} source records are {persons:,} persons."
    if undated:
        # Nobody knows since when they have been there, so no date of the past may show them.
        told += (
            f" {undated:,} of them have no created_at, order or visit that is dated, and so are in "
            "no slice: deliver created_at of their customer records."
        )
    console.print(f"{told}\n")


def _print_value(console: Console, warehouse: Warehouse, config: Config, as_of: object) -> None:
    currency = config.source.reporting_currency
    observed = warehouse.scalar(
        "select sum(observed_revenue_amount) from marts.fct_customer_features where as_of_date = ?",
        [as_of],
    )
    console.print(f"Observed revenue to date: {_money(observed)} {currency}")
    table = _table(
        "Next", ">purchase days", f">revenue ({currency})", ">90 % interval", "interval is"
    )
    refused: dict[str, list[int]] = {}
    of_orders: dict[str, list[str]] = {}
    for row in warehouse.frame(PORTFOLIO, [as_of]).itertuples(index=False):
        ends = (row.predicted_revenue_p05, row.predicted_revenue_p95)
        if row.interval_status == "refused":
            # Its column is younger than the table of an earlier release, a refusal is not.
            refused.setdefault(row.interval_reason, []).append(row.horizon_days)
        if getattr(row, "orders_interval_status", None) == "refused":
            of_orders.setdefault(row.orders_interval_reason, []).append(str(row.horizon_days))
        table.add_row(
            f"{row.horizon_days} days",
            f"{row.predicted_orders_mean:,.0f}",
            f"{row.predicted_revenue_mean:,.0f}",
            "" if pd.isna(ends[0]) else f"{ends[0]:,.0f} to {ends[1]:,.0f}",
            row.interval_status,
        )
    console.print(table)
    for reason, horizons in refused.items():
        told = ", ".join(str(days) for days in horizons)
        console.print(f"Not to be planned with: totals of {told} days are refused, {reason}.")
    for reason, of_days in of_orders.items():
        told = ", ".join(of_days)
        console.print(
            f"Not to be planned with: purchase days of {told} days are refused, {reason}."
        )
    for row in warehouse.frame(CHANGE, [as_of]).itertuples():
        # An earlier release did not split the change; its next run adds the columns.
        if pd.notna(getattr(row, "previous_as_of_date", None)):
            before = f"{row.previous_as_of_date:%Y-%m-%d}"
            console.print(
                f"Next {row.horizon_days} days against the forecast of {before}, "
                f"{_money(row.previous_revenue_amount)}: behaviour "
                f"{float(row.behaviour_change_amount):+,.0f}, new customers "
                f"{float(row.new_customers_change_amount):+,.0f}, model "
                f"{float(row.model_change_amount):+,.0f}, gone "
                f"{float(row.departed_change_amount):+,.0f}."
            )


def _print_segments(console: Console, warehouse: Warehouse, config: Config, as_of: object) -> None:
    horizon = config.lifecycle.horizon_days
    segments = warehouse.frame(SEGMENTS, [horizon, as_of])
    table = _table("Stage", "segment", ">customers", ">observed", f">next {horizon} days")
    for row in segments.head(SEGMENT_LINES).itertuples(index=False):
        table.add_row(
            row.stage,
            row.microsegment_name,
            f"{row.customers_count:,}",
            _money(row.observed_revenue_amount),
            _money(row.predicted_revenue_mean),
        )
    console.print(table)
    if len(segments) > SEGMENT_LINES:
        console.print(f"and {len(segments) - SEGMENT_LINES} more in predictions.microsegments.")
    moved, known = warehouse.connection.execute(MOVEMENT, [as_of]).fetchall()[0]
    if known:
        console.print(f"{moved:,} of {known:,} customers changed stage since the date before.\n")


def _print_places(console: Console, config: Config) -> None:
    console.print(f"Published copy (read-only, for BI): {_short(config.published_path)}")
    console.print(f"Working warehouse:                  {_short(config.warehouse_path)}")
    console.print("Dagster UI:                         make ui, then http://localhost:3000")
    console.print("Query it:")
    console.print(f'  .venv/bin/clientela query "{EXAMPLE_QUERY}"', soft_wrap=True)
    console.print(render(query_published(config.published_path, EXAMPLE_QUERY)))


def query_published(path: Path, sql: str) -> pd.DataFrame:
    """Run SQL on the published copy."""
    with open_warehouse(path, read_only=True) as published:
        return published.frame(sql)


def render(frame: pd.DataFrame) -> Table:
    """A frame as a terminal table."""
    numeric = {name for name in frame if pd.api.types.is_numeric_dtype(frame[name])}
    table = _table(*(f">{name}" if name in numeric else str(name) for name in frame))
    for row in frame.itertuples(index=False):
        table.add_row(
            *("" if pd.isna(v) else f"{v:,.10g}" if isinstance(v, float) else str(v) for v in row)
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column[0] == ">" else "left")
    return table


def _money(value: object) -> str:
    return "" if value is None or pd.isna(value) else f"{float(str(value)):,.0f}"


def _short(path: Path) -> str:
    # Not from the working folder: dagster-dbt's threads may have left it changed.
    return str(path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path)
