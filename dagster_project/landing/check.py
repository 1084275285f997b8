"""Reading a source against the contract without a warehouse, before anything is run.

Add a fact about a source here that saves its owner a failed run.
Rules that only staging can judge stay out (unknown products, amounts too large once converted).
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
from rich.console import RenderableType

from dagster_project.config import Config
from dagster_project.declared_segments import columns_by_segment
from dagster_project.landing.delivery import Part, quoted
from dagster_project.landing.fingerprint import source_connection
from dagster_project.landing.rate_rules import keep_first_rates, lacks_rate
from dagster_project.landing.requirements import mapped_shapes, problems
from dagster_project.landing.row_rules import always_midnight, filled, readable, rows_set_aside
from dagster_project.landing.sources import source_of
from dagster_project.refusals import MIN_ROWS
from dagster_project.source_contract import SHAPES, ColumnType, Shape


@dataclass(frozen=True)
class UnreadableValues:
    """Values of a column that cannot be read as its type; `example` is one of them.

    They are left empty, or their rows are set aside (`sets_row_aside`).
    """

    column: str
    type: ColumnType
    values_count: int
    example: str
    sets_row_aside: bool = False


@dataclass(frozen=True)
class TableCheck:
    """What one table of the source looks like against its shape.

    `set_aside` counts the rows that staging will quarantine by the first rule they break; it is
    empty for the table of a mapped source, which is judged after its mapping. `feeds` holds the
    shapes that get rows from the table. `midnight_columns` hold times that are always midnight.
    """

    table_name: str
    origins: tuple[str, ...]
    rows_count: int
    rejected_lines_count: int
    missing_columns: tuple[str, ...]
    unknown_columns: tuple[str, ...]
    unreadable: tuple[UnreadableValues, ...]
    midnight_columns: tuple[str, ...]
    empty_required: dict[str, int]
    duplicate_keys_count: int | None
    set_aside: dict[str, int]
    feeds: tuple[str, ...]


@dataclass(frozen=True)
class SourceReport:
    """A source against the contract; it can be run when there are no `problems`.

    `layers` are those of the segmentation in config.yml, each with its columns; `segments` are the
    declared ones, each with the columns that its rules name.
    """

    label: str
    tables: tuple[TableCheck, ...]
    missing_shapes: tuple[str, ...]
    unused: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    layers: Mapping[str, tuple[str, ...]]
    segments: Mapping[str, tuple[str, ...]]

    @property
    def is_fit(self) -> bool:
        """Whether every required table and column is there, and not too many rows are bad."""
        return not self.problems

    def render(self) -> RenderableType:
        """The report for a rich console."""
        from dagster_project.landing.check_text import rendered

        return rendered(self)

    def text(self, width: int = 100) -> str:
        """The report as plain text."""
        from dagster_project.landing.check_text import as_text

        return as_text(self, width)


def check_source(config: Config) -> SourceReport:
    """Read the whole source and hold it against the contract; nothing is written.

    Raises
    ------
    SourceError
        When the source is not there or a file cannot be read at all.
    """
    source = source_of(config)
    with (
        source_connection(config) as connection,
        tempfile.TemporaryDirectory(prefix="clientela-check-") as workspace,
    ):
        connection.execute("set TimeZone = 'UTC'")
        parts = source.parts(connection, Path(workspace))
        rates = parts.get("exchange_rates", ())
        keep_first_rates(connection, _rows(rates) if rates else None, _delivered(rates))
        tables = tuple(
            _checked(table, shape, parts[table], connection, config)
            for table, shape in source.contract.items()
            if parts.get(table)
        )
        found = (*problems(source, parts), *_too_many_set_aside(tables, config))
    return SourceReport(
        label=source.label,
        tables=tables,
        missing_shapes=tuple(
            name for name in SHAPES if not parts.get(name) and name not in mapped_shapes(parts)
        ),
        unused=source.unused,
        notes=tuple(note for group in parts.values() for part in group for note in part.notes),
        problems=found,
        layers={name: layer.columns for name, layer in config.segmentation.layers.items()},
        segments=columns_by_segment(config),
    )


def _too_many_set_aside(tables: tuple[TableCheck, ...], config: Config) -> list[str]:
    """One sentence for each table of which staging would refuse more than config.yml allows."""
    limits = config.quality.max_quarantined_share
    found = []
    for table in tables:
        rows = table.rows_count + table.rejected_lines_count
        broken = sum(n for rule, n in table.set_aside.items() if rule != "repeated_key")
        broken += table.rejected_lines_count
        limit = limits.get(table.table_name, limits["default"])
        if table.table_name in SHAPES and rows >= MIN_ROWS and broken > limit * rows:
            found.append(
                f"{table.table_name}: {broken:,} of {rows:,} rows ({broken / rows:.1%}) would be "
                f"set aside, and {limit:.1%} is the limit, so the run would stop. Correct them, or "
                f"raise quality.max_quarantined_share.{table.table_name} in config.yml."
            )
    return found


def _delivered(parts: tuple[Part, ...]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part.columns))


def _rows(parts: tuple[Part, ...]) -> str:
    return " union all by name ".join(f"({part.relation})" for part in parts)


def _checked(
    table: str,
    shape: Shape,
    parts: tuple[Part, ...],
    connection: duckdb.DuckDBPyConnection,
    config: Config,
) -> TableCheck:
    delivered, rows = _delivered(parts), _rows(parts)
    known = [column for column in shape.columns if column.name in delivered]
    typed = [column for column in known if column.type != "text"]
    timed = [column for column in typed if column.type == "timestamp"]
    required = [column.name for column in known if column.required]
    measures = ["count(*)"]
    for column in typed:
        broken = f"{filled(column)} is not null and {readable(column)} is null"
        measures += [f"count(*) filter ({broken})", f"min({filled(column)}) filter ({broken})"]
    measures += [always_midnight(column) for column in timed]
    measures += [f"count(*) filter (nullif(trim({quoted(c)}), '') is null)" for c in required]
    has_key = set(shape.key) <= set(delivered)
    if has_key:
        measures.append(f"count(*) - count(distinct ({', '.join(quoted(c) for c in shape.key)}))")
    row = connection.execute(f"select {', '.join(measures)} from ({rows})").fetchone()
    assert row is not None
    rows_count, *values = row
    found = iter(values)
    unreadable_values = [
        UnreadableValues(c.name, c.type, next(found), next(found), c.required or c.is_strict)
        for c in typed
    ]
    midnight = tuple(column.name for column in timed if next(found))
    empty = {name: next(found) for name in required}
    is_judged = table in SHAPES and set(shape.required_columns) <= set(delivered)
    currency, zone = config.source.reporting_currency, config.source.business_time_zone
    rateless = lacks_rate(shape, delivered, currency, zone)
    return TableCheck(
        table_name=table,
        origins=tuple(part.origin for part in parts),
        rows_count=rows_count,
        rejected_lines_count=sum(len(part.rejected) for part in parts),
        missing_columns=tuple(name for name in shape.column_names if name not in delivered),
        unknown_columns=tuple(name for name in delivered if name not in shape.column_names),
        unreadable=tuple(value for value in unreadable_values if value.values_count),
        midnight_columns=midnight,
        empty_required={name: count for name, count in empty.items() if count},
        duplicate_keys_count=next(found) if has_key else None,
        set_aside=rows_set_aside(shape, delivered, rows, connection, rateless) if is_judged else {},
        feeds=shape.feeds or (table,),
    )
