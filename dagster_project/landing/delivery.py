"""What a source delivers for one table, and the SQL snippets every reader needs.

Add here what all readers share.
Where the parts come from stays out; that is `folder.py`, `schema.py` and their neighbours.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dagster_project.source_contract import Shape
from dagster_project.sql_text import literal, quoted

__all__ = [
    "Part",
    "RejectedLine",
    "SourceError",
    "canonical_names",
    "file_literal",
    "literal",
    "quoted",
    "text_select",
]


class SourceError(ValueError):
    """The source cannot be landed; the message names table, column, what was found, the remedy."""


@dataclass(frozen=True)
class RejectedLine:
    """A line of a CSV file that is no row of its table; `line_number` counts from 1."""

    line_number: int
    raw_line: str
    reason: str


@dataclass(frozen=True)
class Part:
    """One file or table that delivers rows of a source table.

    `relation` is a SELECT of the columns, in their order, as VARCHAR, in delivery order. `rows` is
    how many rows it must give; None where the engine's own count is all there is.
    """

    origin: str
    columns: tuple[str, ...]
    relation: str
    rows: int | None = None
    rejected: tuple[RejectedLine, ...] = ()
    notes: tuple[str, ...] = ()


def file_literal(path: Path) -> str:
    """A path as a literal in which `[`, `*` and `?` mean themselves, not a pattern."""
    text = str(path).replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
    return literal(text)


def canonical_names(found: Iterable[str], shape: Shape, origin: str) -> tuple[str, ...]:
    """Names of delivered columns as they are landed: contract names lower-case, others as found.

    Raises
    ------
    SourceError
        When a contract column is there twice (names differ only in case or spaces).
    """
    names: list[str] = []
    for position, name in enumerate(found, start=1):
        stripped = name.strip().lstrip("\ufeff")
        landed = stripped.lower() if stripped.lower() in shape.column_names else stripped
        landed = landed or f"column_{position}"
        taken = {earlier.lower() for earlier in names} | {"_row_number"}
        if landed in shape.column_names and landed in taken:
            raise SourceError(
                f"{shape.name} ({origin}) has the column {landed} twice. Remove or rename one."
            )
        while landed.lower() in taken:
            landed += "_2"
        names.append(landed)
    return tuple(names)


def text_select(
    relation: str, columns: Iterable[tuple[str, str]], names: Iterable[str], shape: Shape
) -> str:
    """SELECT of typed columns as text without loss, missing values as NULL.

    Parameters
    ----------
    relation
        What stands after FROM.
    columns
        Name and DuckDB type of each column.
    names
        Their landed names, in the same order.
    """
    types = {column.name: column.type for column in shape.columns}
    expressions = [
        f"{_as_text(quoted(column), kind, types.get(name) == 'text')} as {quoted(name)}"
        for (column, kind), name in zip(columns, names, strict=True)
    ]
    return f"select {', '.join(expressions)} from {relation}"


def _as_text(column: str, kind: str, is_text: bool) -> str:
    if kind == "VARCHAR":
        return f"nullif({column}, '')"
    if kind in ("FLOAT", "DOUBLE"):
        # pandas turns whole-number ids with gaps into floats: 42.0 would never join 42.
        whole = (
            f"when {column} = trunc({column}) and abs({column}) < 9e15 "
            f"then cast(cast({column} as bigint) as varchar) "
        )
        return (
            f"case when isnan({column}) then null {whole if is_text else ''}"
            f"else cast({column} as varchar) end"
        )
    if kind == "BLOB":
        return f"coalesce(try(decode({column})), cast({column} as varchar))"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION")):
        return f"cast(to_json({column}) as varchar)"
    return f"cast({column} as varchar)"
