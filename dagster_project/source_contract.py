"""The contract a company's data fills: every source table, its columns, its key, what is required.

Add a column or a shape to `sources/shapes.yml` first, a source system as `sources/<source>.yml`;
landing, staging and check-source follow them. How files are read stays out and lives in
`landing/`; casting, mapping and row rules live in dbt staging.
"""

from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

import yaml

ColumnType = Literal[
    "text", "timestamp", "date", "decimal", "integer", "boolean", "double", "rate", "country"
]


@dataclass(frozen=True)
class Column:
    """A column of a source table; `type` is what its text must be castable to.

    A value that cannot be read sets its row aside when the column is required or strict.
    """

    name: str
    type: ColumnType
    required: bool
    description: str
    is_strict: bool = False


@dataclass(frozen=True)
class Shape:
    """A source table: its columns, and what makes a row of it unique.

    `any_of` holds columns of which a delivered table needs at least one. `feeds` holds the shapes
    that the table of a mapped source fills; it is empty for the shapes themselves.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    is_required: bool
    description: str
    any_of: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in contract order."""
        return tuple(column.name for column in self.columns)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Names of the columns that a delivered table cannot lack."""
        return tuple(column.name for column in self.columns if column.required)


def _column(name: str, line: str) -> Column:
    marked, description = line.split(maxsplit=1)
    type_ = marked.rstrip("*!")
    if type_ not in get_args(ColumnType):
        raise ValueError(f"column {name} has the unknown type {type_}")
    return Column(name, type_, "*" in marked, description, "!" in marked)  # type: ignore[arg-type]


def _shape(name: str, block: dict[str, Any]) -> Shape:
    return Shape(
        name=name,
        columns=tuple(_column(column, line) for column, line in block["columns"].items()),
        key=tuple(block["key"]),
        is_required=block.get("is_required", False),
        description=block["description"],
        any_of=tuple(block.get("any_of", ())),
        feeds=tuple(block.get("feeds", ())),
    )


def _shapes(file: Traversable, prefix: str = "") -> dict[str, Shape]:
    blocks = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {prefix + name: _shape(prefix + name, block) for name, block in blocks.items()}


_FOLDER = resources.files("dagster_project").joinpath("sources")

SHAPES: dict[str, Shape] = _shapes(_FOLDER.joinpath("shapes.yml"))
# Source systems whose own tables dbt maps onto the shapes; a raw table is <source>_<table>.
MAPPED_SOURCES: dict[str, dict[str, Shape]] = {
    source: _shapes(_FOLDER.joinpath(f"{source}.yml"), f"{source}_")
    for source in sorted(
        file.name.removesuffix(".yml")
        for file in _FOLDER.iterdir()
        if file.name.endswith(".yml") and file.name != "shapes.yml"
    )
}
MAPPED_TABLES: dict[str, Shape] = {
    name: shape for tables in MAPPED_SOURCES.values() for name, shape in tables.items()
}
RAW_TABLES: dict[str, Shape] = {**SHAPES, **MAPPED_TABLES}
