"""The report of check-source as a person reads it.

Add here how a fact is worded, and what a shape makes possible when it is delivered.
Finding the facts stays out; that is `check.py`.
"""

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from dagster_project.landing.check import SourceReport, TableCheck

ENABLES = {
    "customer_records": "one customer per person, from all their records",
    "identifiers": "joining records by further e-mails, phones, cards and devices",
    "orders": "lifetime value, lifecycle stages, value and behaviour segments",
    "order_items": "categories in segments, margin",
    "refunds": "net revenue after refunds that orders do not show",
    "products": "names of categories, usual costs",
    "web_events": "engagement on the web, devices that log in",
    "message_events": "engagement with messages",
    "visits": "visits to places, with consent",
    "regions": "region and area income of customers",
    "actions": "what marketing did and what it cost",
    "action_exposures": "who was contacted and who was held out",
    "consents": "visits, and audiences that may be contacted",
    "erasure_requests": "forgetting persons on request",
    "exchange_rates": "orders in more than one currency",
    "contracts": "subscriptions",
    "identity_overrides": "reviewed decisions about who is one person",
}


def as_text(report: "SourceReport", width: int) -> str:
    """The report as plain text of a given width."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(rendered(report))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def rendered(report: "SourceReport") -> Group:
    """The report for a rich console."""
    # Text, not str: a console would take the brackets of a path for markup.
    blocks: list[Text | Table] = [Text(f"Source: {report.label}"), _tables(report)]
    for heading, lines in _findings(report).items():
        if lines:
            blocks.append(Text("\n".join([heading, *(f"  - {line}" for line in lines)]) + "\n"))
    ready = "Ready: every required table and column is there."
    to_do = f"Not ready: {len(report.problems)} to correct, see above."
    return Group(*blocks, Text(ready if report.is_fit else to_do))


def _tables(report: "SourceReport") -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("table", no_wrap=True)
    for heading in ("rows", "lines rejected", "values unreadable", "keys repeated"):
        table.add_column(heading, justify="right")
    for check in report.tables:
        table.add_row(
            check.table_name,
            f"{check.rows_count:,}",
            f"{check.rejected_lines_count:,}",
            f"{sum(value.values_count for value in check.unreadable):,}",
            "?" if check.duplicate_keys_count is None else f"{check.duplicate_keys_count:,}",
        )
    return table


def _findings(report: "SourceReport") -> dict[str, list[str]]:
    rows = [line for check in report.tables for line in _row_findings(check)]
    columns = [line for check in report.tables for line in _column_findings(check)]
    enabled = [
        f"{check.table_name}: {ENABLES[check.table_name]}"
        for check in report.tables
        if check.table_name in ENABLES
    ]
    absent = [f"{name}: without {ENABLES[name]}" for name in report.missing_shapes]
    return {
        "To correct before a run": list(report.problems),
        "Rows that will be set aside, or values that will be left empty": rows,
        "Columns": columns,
        "Files that belong to no table": list(report.unused),
        "Notes": list(report.notes),
        "Available": enabled,
        "Not delivered, left out": absent,
    }


def _row_findings(check: "TableCheck") -> list[str]:
    name, found = check.table_name, []
    if check.rejected_lines_count:
        found.append(f"{name}: lines that are no rows: {check.rejected_lines_count:,}")
    for value in check.unreadable:
        found.append(
            f"{name}.{value.column}: not readable as {value.type}: {value.values_count:,}, "
            f"for example {value.example!r}"
        )
    for column, count in check.empty_required.items():
        found.append(f"{name}.{column}: required and empty: {count:,}")
    if check.duplicate_keys_count:
        found.append(f"{name}: rows that repeat a key: {check.duplicate_keys_count:,}")
    return found


def _column_findings(check: "TableCheck") -> list[str]:
    found = []
    if check.unknown_columns:
        names = ", ".join(check.unknown_columns)
        found.append(f"{check.table_name}: not in the contract, carried along: {names}")
    if check.missing_columns:
        names = ", ".join(check.missing_columns)
        found.append(f"{check.table_name}: not delivered, left empty: {names}")
    return found
