"""Who is in which declared segment on a date, and what they are worth.

Add here what a segment is measured by.
What is declared, and whether it can be evaluated at all, is in `definitions.py`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow as pa

from dagster_project.declared_segments.columns import ROW, unfed
from dagster_project.declared_segments.definitions import (
    AT_MOST,
    Line,
    Part,
    Segment,
    columns_of,
    filled,
)
from dagster_project.declared_segments.expressions import RuleChecker
from dagster_project.sql_text import literal
from dagster_project.warehouse import Warehouse

BY_DATE = "serving.customer_360_by_date"
FIGURES = (
    "customers_count",
    "customers_share",
    "observed_revenue_amount",
    "predicted_revenue_mean",
)


class SegmentFailedError(RuntimeError):
    """A rule that passed every check broke on the values of a date."""


@dataclass(frozen=True)
class Rule:
    """One segment of a date: its rule with the limits of the date, or why there is none."""

    segment: str
    kind: str
    description: str
    expression: str
    reason: str | None = None


def evaluate(
    warehouse: Warehouse,
    segments: Sequence[Segment],
    checker: RuleChecker,
    as_of_date: dt.date,
    delivered: Collection[str],
    horizon_days: int,
) -> tuple[pd.DataFrame, pa.Table]:
    """Evaluate the segments over the customers of a date.

    Parameters
    ----------
    delivered
        Shapes that the source delivers; a rule that names a column without its shapes is not
        available, for nobody could be known to belong.
    horizon_days
        Horizon of the predicted revenue of a segment.

    Returns
    -------
    DataFrame, Table
        Columns of predictions.segment_definitions, and of customer_segment_memberships as Arrow,
        ordered by segment and customer.

    Raises
    ------
    SegmentFailedError
        Naming the segment, its rule and the remedy.
    """
    predicted = f"predicted_revenue_{horizon_days}d_mean"
    named = {part: columns_of(segment, part, checker) for segment, part in _parts(segments)}
    wanted = {"customer_id", "purchase_days_count", "observed_revenue_amount", predicted}
    columns = ", ".join(sorted(wanted.union(*named.values())))
    connection = warehouse.connection
    # The view joins five tables: once a date, not once a rule.
    connection.execute(
        f"create or replace temp table {ROW} as select {columns} from {BY_DATE} "
        "where as_of_date = ?",
        [as_of_date],
    )
    try:
        lines = _lines(warehouse, segments)
        rules = [
            rule
            for segment, part in _parts(segments)
            for rule in _rules(warehouse, segment, part, lines, unfed(named[part], delivered))
        ]
        members = _members(warehouse, rules, as_of_date)
        connection.register("segment_members", members)
        worth = warehouse.frame(
            f"select segment, count(*) as customers_count, "
            f"sum(observed_revenue_amount) as observed_revenue_amount, "
            # Decimals add up to the same in any order of threads.
            f"cast(sum(cast({predicted} as decimal(38, 6))) as double) as predicted_revenue_mean "
            f"from segment_members join {ROW} using (customer_id) group by segment"
        )
        connection.unregister("segment_members")
        base = int(str(warehouse.scalar(f"select count(*) from {ROW}")))
    finally:
        connection.execute(f"drop table if exists temp.{ROW}")
    return _definitions(rules, worth, base, as_of_date, horizon_days), members


def _parts(segments: Sequence[Segment]) -> Iterator[tuple[Segment, Part]]:
    return ((segment, part) for segment in segments for part in segment.parts)


def _lines(warehouse: Warehouse, segments: Sequence[Segment]) -> dict[Line, float | None]:
    """Every line as a number: the value of the last buyer inside the top share, or None."""
    lines = {
        limit
        for segment in segments
        for limit in segment.limits.values()
        if isinstance(limit, Line)
    }
    ordered = sorted(lines, key=lambda line: (line.of, line.top))
    if not ordered:
        return {}
    measures = ", ".join(
        f"percentile_disc({line.top}) within group (order by {line.of} desc)" for line in ordered
    )
    found = warehouse.connection.execute(
        f"select {measures} from {ROW} where purchase_days_count > 0"
    ).fetchall()[0]
    return {
        line: None if value is None else _rounded_down(float(value))
        for line, value in zip(ordered, found, strict=True)
    }


def _rounded_down(value: float) -> float:
    """Four decimals, never above the value: the buyer on the line is inside."""
    return math.floor(round(value * 10_000, 6)) / 10_000


def _rules(
    warehouse: Warehouse,
    segment: Segment,
    part: Part,
    lines: Mapping[Line, float | None],
    empty: Mapping[str, tuple[str, ...]],
) -> list[Rule]:
    """The rules that a part becomes on the date: one, or one for each value of a column."""
    texts, words, reason = {}, {}, None
    for name, limit in segment.limits.items():
        value = lines[limit] if isinstance(limit, Line) else limit
        if value is None:
            reason = f"nobody who bought has a {limit.of}" if isinstance(limit, Line) else None
            continue
        texts[name], words[name] = repr(value), _in_words(name, value, limit)
    if empty:
        shapes = sorted({shape for missing in empty.values() for shape in missing})
        reason = (
            f"needs {', '.join(shapes).replace('|', ' or ')}, which the source does not deliver "
            f"({', '.join(sorted(empty))})"
        )
    if reason is None and segment.for_each:
        at_most = int(str(segment.limits[AT_MOST]))
        values = _values(warehouse, segment.for_each, at_most)
        if values:
            return [
                Rule(
                    f"{part.name}:{value}",
                    segment.kind,
                    filled(part.description, words | {"value": value}),
                    filled(part.where, texts | {"value": literal(value)}),
                )
                for value in values
            ]
        reason = f"no customer has a {segment.for_each}"
    description = filled(part.description, words | {"value": f"one {segment.for_each}"})
    return [Rule(part.name, segment.kind, description, filled(part.where, texts), reason)]


def _in_words(name: str, value: float, limit: float | Line) -> str:
    if isinstance(limit, Line):
        return f"{value:,.2f} (the top {100 * limit.top:g} % of buyers)"
    return f"{100 * value:g} %" if name.endswith("_share") else f"{value:,g}"


def _values(warehouse: Warehouse, column: str, at_most: int) -> list[str]:
    """The values that most customers have; of equals the first by name."""
    found = warehouse.connection.execute(
        f"select {column} from {ROW} where {column} is not null "
        f"group by {column} order by count(*) desc, {column} limit {at_most}"
    ).fetchall()
    return sorted(str(value) for (value,) in found)


def _members(warehouse: Warehouse, rules: Sequence[Rule], as_of_date: dt.date) -> pa.Table:
    """Segment and customer of everybody who is in one; each rule is read once a customer."""
    available = [rule for rule in rules if rule.reason is None]
    cases = ", ".join(
        f"case when ({rule.expression}\n) then {literal(rule.segment)} end" for rule in available
    )
    sql = (
        f"select date '{as_of_date}' as as_of_date, segment, customer_id from ("
        f"select unnest([{cases or 'null::varchar'}]) as segment, customer_id from {ROW}"
        ") where segment is not null order by segment, customer_id"
    )
    try:
        return warehouse.query(sql)
    except duckdb.Error as error:
        raise _failure(warehouse, available, error) from error


def _failure(warehouse: Warehouse, rules: Sequence[Rule], error: Exception) -> SegmentFailedError:
    """The same error with the segment whose rule makes it."""
    for rule in rules:
        try:
            sql = f"select count(*) from {ROW} where ({rule.expression}\n)"
            warehouse.connection.execute(sql).fetchall()
        except duckdb.Error as found:
            reason = str(found).splitlines()[0]
            return SegmentFailedError(
                f"segment {rule.segment}: the rule `{rule.expression}` broke on a customer of the "
                f"date ({reason}). Change it in config.yml under segments: try_cast gives NULL "
                "where cast fails."
            )
    return SegmentFailedError(str(error))


def _definitions(
    rules: Sequence[Rule],
    worth: pd.DataFrame,
    base: int,
    as_of_date: dt.date,
    horizon_days: int,
) -> pd.DataFrame:
    found = worth.set_index("segment")
    rows = []
    for rule in rules:
        row: dict[str, object] = {
            "as_of_date": as_of_date,
            "segment": rule.segment,
            "description": rule.description,
            "expression": " ".join(rule.expression.split()),
            "kind": rule.kind,
            "status": "available" if rule.reason is None else "not_available",
            "reason": rule.reason,
            "horizon_days": horizon_days,
        }
        count, observed, predicted = 0, Decimal(0), 0.0
        if rule.segment in found.index:
            count, observed, predicted = found.loc[rule.segment]
        row |= {
            "customers_count": int(count),
            "customers_share": int(count) / max(base, 1),
            "observed_revenue_amount": observed,
            # Of prospects alone the sum is NULL, which pandas hands over as NaN.
            "predicted_revenue_mean": 0.0 if pd.isna(predicted) else float(predicted),
        }
        if rule.reason is not None:
            row |= dict.fromkeys(FIGURES)
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)
