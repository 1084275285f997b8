"""The report of check-source as a person reads it.

Add here how a fact is worded, and what a shape makes possible besides features.
Finding the facts stays out; that is `check.py`.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from dagster_project.declared_segments.columns import unfed
from dagster_project.feature_catalogue import features, features_fed_by
from dagster_project.source_contract import SHAPES

if TYPE_CHECKING:
    from dagster_project.landing.check import SourceReport, TableCheck

# What a shape gives besides features, of which the catalogue knows.
BESIDES = {
    "customer_records": "one customer per person",
    "identifiers": "more ways to join records of a person",
    "orders": "lifetime value, lifecycle stages",
    "refunds": "net revenue",
    "actions": "what marketing did and what it cost",
    "action_exposures": "who was contacted and who held out",
    "consents": "whom to contact",
    "erasure_requests": "forgetting persons on request",
    "exchange_rates": "orders in more than one currency",
    "contracts": "subscriptions",
    "identity_overrides": "reviewed decisions about who is one person",
}
NAMES_SHOWN = 6
FEATURES_NAMED = 2


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
    blocks.append(_available(report))
    ready = "Ready: every required table and column is there."
    to_do = f"Not ready: {len(report.problems)} to correct, see above."
    return Group(*blocks, Text(ready if report.is_fit else to_do))


def _tables(report: "SourceReport") -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("table", no_wrap=True)
    for heading in ("rows", "lines rejected", "rows set aside", "values left empty"):
        table.add_column(heading, justify="right")
    for check in report.tables:
        is_mapped = check.feeds != (check.table_name,)
        table.add_row(
            check.table_name,
            f"{check.rows_count:,}",
            f"{check.rejected_lines_count:,}",
            "after mapping" if is_mapped else f"{sum(check.set_aside.values()):,}",
            f"{sum(v.values_count for v in check.unreadable if not v.sets_row_aside):,}",
        )
    return table


def _available(report: "SourceReport") -> Table:
    delivered = set(SHAPES) - set(report.missing_shapes)
    dependent = [feature for feature in features().values() if feature.needs]
    there = sum(feature.is_fed_by(delivered) for feature in dependent)
    title = f"What it gives: {there} of {len(dependent)} features; {_layers(report)}"
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left")
    table.add_column()
    table.add_column()
    fed: dict[str, list[str]] = {}
    for check in report.tables:
        for shape in check.feeds:
            fed.setdefault(shape, []).append(check.table_name)
    for shape in SHAPES:
        absent = (
            "not delivered: empty" if shape in report.missing_shapes else "a dbt model of yours"
        )
        table.add_row(_gives(shape, delivered), _some(fed.get(shape, [])) or absent)
    return table


def _layers(report: "SourceReport") -> str:
    """The layers of the segmentation, and which of their columns would be empty."""
    delivered = set(SHAPES) - set(report.missing_shapes)
    catalogue, said = features(), []
    for layer, names in report.layers.items():
        empty = [n for n in names if n in catalogue and not catalogue[n].is_fed_by(delivered)]
        filled = len(names) - len(empty)
        without = f", not {_some(empty)}" if empty and filled else ""
        said.append(f"layer {layer}: {filled} of {len(names)}{without}")
    return "; ".join(said)


def _gives(shape: str, delivered: set[str]) -> str:
    """What is there with a shape and not without it, given the shapes that are delivered."""
    names = features_fed_by(shape, delivered)
    gives = [BESIDES[shape]] if shape in BESIDES else []
    if names:
        gives.append(f"{len(names)} features ({', '.join(names[:FEATURES_NAMED])})")
    waiting = [
        feature.needs
        for feature in features().values()
        if any(shape in need.split("|") for need in feature.needs)
        and not feature.is_fed_by({*delivered, shape})
    ]
    if waiting and not names:
        lacking = {need for needs in waiting for need in needs} - delivered - {shape}
        gives.append(f"{len(waiting)} with {', '.join(name for name in SHAPES if name in lacking)}")
    return f"{shape}: {'; '.join(gives)}"


def _findings(report: "SourceReport") -> dict[str, list[str]]:
    return {
        "To correct before a run": list(report.problems),
        "Rows that will be set aside": [r for check in report.tables for r in _set_aside(check)],
        "Values that cannot be read and will be left empty": [
            f"{check.table_name}.{value.column}: not readable as {value.type}: "
            f"{value.values_count:,}, for example {value.example!r}"
            for check in report.tables
            for value in check.unreadable
            if not value.sets_row_aside
        ],
        "Columns": [line for check in report.tables for line in _column_findings(check)],
        "Files that belong to no table": [_some(report.unused)] if report.unused else [],
        "Segments that will not be available": _segments(report),
        "Notes": list(report.notes),
    }


def _segments(report: "SourceReport") -> list[str]:
    """Declared segments that name a column without its source; switch them off, or deliver it."""
    delivered = set(SHAPES) - set(report.missing_shapes)
    found = []
    for name, columns in report.segments.items():
        missing = {shape for shapes in unfed(columns, delivered).values() for shape in shapes}
        if missing:
            found.append(f"{name}: needs {', '.join(sorted(missing)).replace('|', ' or ')}")
    return found


def _set_aside(check: "TableCheck") -> list[str]:
    found = []
    if check.rejected_lines_count:
        found.append(f"{check.table_name}: unreadable_line: {check.rejected_lines_count:,}")
    examples = [
        f"{value.column} {value.example!r}" for value in check.unreadable if value.sets_row_aside
    ]
    for rule, count in check.set_aside.items():
        example = f", for example {_some(examples)}" if examples and rule[:4] == "bad_" else ""
        found.append(f"{check.table_name}: {rule}: {count:,}{example}")
    return found


def _column_findings(check: "TableCheck") -> list[str]:
    found = []
    if check.unknown_columns:
        names = _some(check.unknown_columns)
        found.append(f"{check.table_name}: not in the contract, carried along: {names}")
    if check.missing_columns:
        names = _some(check.missing_columns)
        found.append(f"{check.table_name}: not delivered, left empty: {names}")
    if check.midnight_columns:
        found.append(
            f"{check.table_name}: always midnight UTC: {_some(check.midnight_columns)}. If these "
            "are days, deliver them as dates (2024-03-01): midnight UTC is a day early in America"
        )
    return found


def _some(names: Sequence[str]) -> str:
    """The names, the last ones as a number when there are many: a report fits a screen."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
