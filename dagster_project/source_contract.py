"""The contract a company's data fills: every source table, its columns, its key, what is required.

Add a column or a shape to `source_shapes.yml` first; landing, staging and check-source follow it.
How files are read stays out and lives in `landing/`; casting and row rules live in dbt staging.
"""

from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, get_args

import yaml

ColumnType = Literal["text", "timestamp", "date", "decimal", "integer", "boolean", "double"]


@dataclass(frozen=True)
class Column:
    """A column of a source table; `type` is what its text must be castable to."""

    name: str
    type: ColumnType
    required: bool
    description: str


@dataclass(frozen=True)
class Shape:
    """A source table: its columns, and what makes a row of it unique.

    `any_of` holds columns of which a delivered table needs at least one.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    is_required: bool
    description: str
    any_of: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in contract order."""
        return tuple(column.name for column in self.columns)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Names of the columns that a delivered table cannot lack."""
        return tuple(column.name for column in self.columns if column.required)


def _column(name: str, line: str) -> Column:
    type_, description = line.split(maxsplit=1)
    if type_.rstrip("*") not in get_args(ColumnType):
        raise ValueError(f"column {name} has the unknown type {type_}")
    return Column(name, type_.rstrip("*"), type_.endswith("*"), description)  # type: ignore[arg-type]


def _shape(name: str, block: dict[str, Any]) -> Shape:
    return Shape(
        name=name,
        columns=tuple(_column(column, line) for column, line in block["columns"].items()),
        key=tuple(block["key"]),
        is_required=block["is_required"],
        description=block["description"],
        any_of=tuple(block.get("any_of", ())),
    )


def _shapes(file: str) -> dict[str, Shape]:
    text = resources.files("dagster_project").joinpath(file).read_text(encoding="utf-8")
    return {name: _shape(name, block) for name, block in yaml.safe_load(text).items()}


SHAPES: dict[str, Shape] = _shapes("source_shapes.yml")
COMPLETE_JOURNEY_TABLES: dict[str, Shape] = _shapes("source_complete_journey.yml")
