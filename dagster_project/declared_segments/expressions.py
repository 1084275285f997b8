"""Checking one rule: DuckDB parses it, and what is no condition on one customer's row is refused.

Add here a kind of mistake that a company could make in a rule and that deserves a sentence.
How rules are declared stays out; that is `definitions.py`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from dagster_project.declared_segments.columns import ROW
from dagster_project.declared_segments.functions import (
    CLOCKS,
    DIVISIONS,
    FUNCTIONS,
    arguments,
    is_never_zero,
)

ALLOWED = {
    "CONJUNCTION", "COMPARISON", "CONSTANT", "COLUMN_REF", "FUNCTION", "OPERATOR", "CASE", "CAST",
    "BETWEEN", "TYPE",
}  # fmt: skip
REFUSED = {
    "SUBQUERY": "holds a subquery; a rule sees the row of one customer, so compare columns of it",
    "WINDOW": "holds a window function, which looks at other customers; use a line "
    "(lines: {name: {of: column, top: 0.2}}) or value_rank",
    "STAR": "holds a star; name the columns",
    "PARAMETER": "holds a parameter, for which nobody gives a value; write the value itself",
    "LAMBDA": "holds a lambda; compare columns instead",
}
AGGREGATE = (
    "calls {name}, which sums up over customers; a rule sees one customer's row. For a line "
    "through all of them declare it (lines: {{name: {{of: column, top: 0.2}}}}) and write {{name}}"
)
UNSTEADY = (
    "calls {name}, which gives another answer at another moment, so that a past date could not be "
    "repeated; use as_of_date for the day of the row"
)
OUTSIDE = "calls {name}, which reads from outside the customer row; name columns of it instead"
NOT_FOR_RULES = (
    "calls {name}, which rules do not use: its answer may change with the release or be no number, "
    "which sorts above every number; docs/segments.md lists what may be called"
)
ZERO = (
    "divides ({name}) by what can be zero, and x / 0 is larger than every number, so that whoever "
    "has a zero would belong; write nullif(..., 0) around the divisor, then nobody with a zero does"
)
PLACEHOLDERS = {"varchar": "'a'", "date": "date '2020-01-31'", "boolean": "true"}


@dataclass(frozen=True)
class Rule:
    """A valid rule: its text, and the columns that it names in the order of their names."""

    expression: str
    columns: tuple[str, ...]


class RuleError(ValueError):
    """A rule that cannot be evaluated; it says what is wrong and what to write instead."""


class RuleChecker:
    """Checks rules over a row of given columns.

    Parameters
    ----------
    columns
        Name to SQL type.
    values
        The words that a column can hold, where they are known: a misspelt stage would otherwise
        be a segment without anybody in it.
    """

    def __init__(
        self, columns: Mapping[str, str], values: Mapping[str, Collection[str]] | None = None
    ) -> None:
        self.columns = {name.lower(): kind for name, kind in columns.items()}
        self.values = values or {}

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        """An engine that holds customers of ones, of zeros and of NULLs, and reads no file."""
        connection = duckdb.connect(config={"enable_external_access": "false"})
        body = ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        connection.execute(f"create table {ROW} ({body})")
        for number in ("1", "0"):
            row = ", ".join(PLACEHOLDERS.get(kind, number) for kind in self.columns.values())
            connection.execute(f"insert into {ROW} values ({row})")
        connection.execute(f"insert into {ROW} (customer_id) values (null)")
        return connection

    @cached_property
    def _functions(self) -> dict[str, set[tuple[str, str | None]]]:
        found: dict[str, set[tuple[str, str | None]]] = {}
        for name, kind, stability in self._connection.execute(
            "select distinct function_name, function_type, stability from duckdb_functions()"
        ).fetchall():
            found.setdefault(name, set()).add((kind, stability))
        return found

    def check(self, expression: str) -> Rule:
        """Accept a rule, or say what is wrong with it.

        Raises
        ------
        RuleError
            With a sentence that continues "the rule ..." and names the remedy.
        """
        condition = self._parsed(expression)
        used: set[str] = set()
        for node in _nodes(condition):
            if isinstance(node.get("class"), str):
                self._check_node(node, used)
        if not used:
            raise RuleError("names no column, so it holds for everybody or nobody")
        self._evaluate(expression)
        return Rule(expression, tuple(sorted(used)))

    def _parsed(self, expression: str) -> dict[str, Any]:
        """The condition as DuckDB reads it, when nothing but a condition was written."""
        if not expression.strip():
            raise RuleError("is empty; write a condition, for example orders_count >= 3")
        answer = self._serialized(expression)
        if answer["error"]:
            reason = str(answer["error_message"]).splitlines()[0]
            raise RuleError(f"is no SQL expression ({reason})")
        if len(answer["statements"]) != 1:
            raise RuleError("holds a second statement; write one condition, without a semicolon")
        node: dict[str, Any] = answer["statements"][0]["node"]
        condition = node.pop("where_clause", None)
        plain: dict[str, Any] = self._serialized("true")["statements"][0]["node"]
        plain.pop("where_clause")
        # A bracket that closes too early could add clauses or whole queries after the condition.
        if node != plain or condition is None:
            raise RuleError("goes on after the condition has ended; write one condition")
        return condition

    def _serialized(self, expression: str) -> dict[str, Any]:
        # The line break ends a comment that would otherwise swallow the bracket.
        sql = f"select * from {ROW} where ({expression}\n)"
        rows = self._connection.execute("select json_serialize_sql(?)", [sql]).fetchall()
        answer: dict[str, Any] = json.loads(rows[0][0])
        return answer

    def _check_node(self, node: dict[str, Any], used: set[str]) -> None:
        kind = node["class"]
        if kind in REFUSED:
            raise RuleError(REFUSED[kind])
        if kind not in ALLOWED:
            raise RuleError(f"holds {kind.lower().replace('_', ' ')}, which a rule has no use for")
        if kind == "COLUMN_REF":
            used.add(self._column(node["column_names"]))
        elif kind == "FUNCTION":
            self._check_function(node)
        elif kind in ("COMPARISON", "OPERATOR"):
            self._check_words(node)

    def _column(self, parts: list[str]) -> str:
        name = parts[-1].lower()
        if name in CLOCKS:
            raise RuleError(UNSTEADY.format(name=name))
        if name in self.columns and [part.lower() for part in parts[:-1]] in ([], [ROW]):
            return name
        near = difflib.get_close_matches(name, self.columns, 1, 0.5)
        hint = f"the nearest is {near[0]}" if near else "docs/tables.md lists them"
        if '"' not in name and not near and name not in self.columns:
            hint += "; a text stands in single quotes"
        raise RuleError(f"names {'.'.join(parts)}, which is no column of serving.{ROW}; {hint}")

    def _check_function(self, node: dict[str, Any]) -> None:
        name, given = node["function_name"].lower(), arguments(node)
        # Of one argument, age counts up to the clock.
        if name in CLOCKS or (name == "age" and len(given) < 2):
            raise RuleError(UNSTEADY.format(name=name))
        if name not in FUNCTIONS:
            self._refuse_function(name)
        if name in DIVISIONS and not (len(given) == 2 and is_never_zero(given[1])):
            raise RuleError(ZERO.format(name=name))

    def _refuse_function(self, name: str) -> None:
        known = self._functions.get(name)
        near = difflib.get_close_matches(name, FUNCTIONS, 1, 0.6)
        nearest = f"the nearest is {near[0]}" if near else ""
        if known is None:
            hint = f"; {nearest}" if nearest else ""
            raise RuleError(f"calls {name}, which is no function{hint}")
        kinds = {kind for kind, _ in known}
        if "aggregate" in kinds or "window" in kinds:
            raise RuleError(AGGREGATE.format(name=name))
        if "scalar" not in kinds:
            raise RuleError(OUTSIDE.format(name=name))
        if any(stability != "CONSISTENT" for kind, stability in known if kind == "scalar"):
            raise RuleError(UNSTEADY.format(name=name))
        raise RuleError(NOT_FOR_RULES.format(name=name))

    def _check_words(self, node: dict[str, Any]) -> None:
        """Words that a column is compared with, where its words are known."""
        children = node.get("children") or [node.get("left"), node.get("right")]
        parts = [child for child in children if child]
        columns = {c["column_names"][-1].lower() for c in parts if c["class"] == "COLUMN_REF"}
        for column in sorted(columns & set(self.values)):
            for part in parts:
                literal = part.get("literal", {})
                word = literal.get("text") if literal.get("kind") == "STRING" else None
                if word is not None and word not in self.values[column]:
                    near = difflib.get_close_matches(word, self.values[column], 1, 0.5)
                    hint = f"; the nearest is '{near[0]}'" if near else ""
                    valid = ", ".join(self.values[column])
                    raise RuleError(f"asks for {column} '{word}', which is none of {valid}{hint}")

    def _evaluate(self, expression: str) -> None:
        """Bind the rule, ask for its type, and try it on the placeholders."""
        sql = f"select ({expression}\n) as is_member from {ROW}"
        try:
            described = self._connection.execute(f"describe {sql}").fetchall()
            kind = described[0][1]
            if kind != "BOOLEAN":
                raise RuleError(
                    f"gives {kind}, not true or false; compare it with something, for example "
                    "orders_count >= 3"
                )
            self._connection.execute(sql).fetchall()
        except duckdb.ConversionException as error:
            raise RuleError(
                f"compares values of different kinds ({_first_line(error)}); compare numbers with "
                "numbers and text with text in single quotes, or use try_cast"
            ) from error
        except duckdb.Error as error:
            raise RuleError(f"cannot be evaluated ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Every object of a parsed expression; positions in the text are no part of it."""
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)
