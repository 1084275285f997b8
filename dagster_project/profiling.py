"""The profile of a landing: rows, empty values, quantiles and shares of every accepted table.

Add a column to ``CODES`` when its values are few and tell nothing of a person. Comparing profiles
stays out; it is statistics and lives in models_py/drift.py.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Iterator

import pandas as pd

from dagster_project.source_contract import SHAPES, Shape
from dagster_project.warehouse import Warehouse

# Dated tables are compared over their last days: a bad week would drown in years of history.
DATED = {
    "orders": "ordered_at",
    "order_items": "ordered_at",
    "refunds": "refunded_at",
    "web_events": "occurred_at",
    "message_events": "occurred_at",
    "visits": "visited_at",
}
FROM = {
    "order_items": "staging.order_items as t join (select source_system, order_id, ordered_at "
    "from staging.orders) as o using (source_system, order_id)"
}
CODES = (
    *("source_system", "status", "channel", "store_id", "currency_code", "category_1", "plan"),
    *("event_type", "identifier_type", "purpose", "arm", "offer_type", "acquisition_channel"),
    *("gender", "country_code", "income_band", "household_size", "urbanity"),
)
MAX_CODES = 100
# Fewer people than this behind a value, and it is not written down.
MIN_ROWS = 10
PLACES = ("latitude", "longitude")
COLUMNS = ["shape", "column_name", "measure", "bucket", "measured_value", "rows_count"]


def profile(
    warehouse: Warehouse, data_end: dt.date | None, window_days: int, time_zone: str
) -> pd.DataFrame:
    """Profile every delivered table of staging.

    Parameters
    ----------
    data_end
        Last day of the window of dated tables; None takes all rows.
    window_days
        Length of the window.
    time_zone
        Zone in which days begin.

    Returns
    -------
    DataFrame
        shape, column_name, measure, bucket, measured_value, rows_count.
    """
    rows: list[tuple[object, ...]] = []
    for shape in SHAPES.values():
        total = int(str(warehouse.scalar(f"select count(*) from staging.{shape.name}")))
        rows.append((shape.name, "", "rows_count", "", float(total), total))
        if not total:
            continue
        relation = FROM.get(shape.name, f"staging.{shape.name} as t")
        if shape.name in DATED and data_end:
            bounds = _window(data_end, window_days, time_zone)
            relation += f" where {DATED[shape.name]} >= {bounds[0]} and "
            relation += f"{DATED[shape.name]} < {bounds[1]}"
            seen = int(str(warehouse.scalar(f"select count(*) from {relation}")))
            rows.append((shape.name, "", "rows_per_day", "", seen / window_days, seen))
        rows += _scalars(warehouse, shape, relation)
        for name, kind in _distributions(shape):
            rows += _shares(warehouse, shape.name, name, kind, relation)
    return pd.DataFrame(rows, columns=COLUMNS)


def _window(end: dt.date, days: int, time_zone: str) -> list[str]:
    zone = zoneinfo.ZoneInfo(time_zone)
    edges = (end - dt.timedelta(days=days - 1), end + dt.timedelta(days=1))
    return [
        f"timestamp '{dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC):%Y-%m-%d %H:%M}'"
        for day in edges
    ]


def _numbers(shape: Shape) -> list[str]:
    numeric = ("decimal", "rate", "integer", "double")
    return [c.name for c in shape.columns if c.type in numeric and c.name not in PLACES]


def _distributions(shape: Shape) -> Iterator[tuple[str, str]]:
    for name in _numbers(shape):
        yield name, "number"
    for column in shape.columns:
        if column.name in CODES or column.type == "boolean":
            yield column.name, "code"


def _scalars(warehouse: Warehouse, shape: Shape, relation: str) -> Iterator[tuple[object, ...]]:
    """Empty values of every column; mean and quantiles of the numbers, in one pass."""
    parts = ["count(*) as rows_count"]
    parts += [f"count({name}) as {name}_filled" for name in shape.column_names]
    for name in _numbers(shape):
        # Doubles added over threads differ from run to run; decimals do not.
        parts.append(f"cast(sum(cast({name} as decimal(38, 6))) as double) as {name}_sum")
        parts += [
            f"cast(percentile_cont({share}) within group (order by {name}) as double) as "
            f"{name}_{label}"
            for label, share in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95))
        ]
    found = warehouse.frame(f"select {', '.join(parts)} from {relation}").iloc[0]
    total = int(found["rows_count"])
    for name in shape.column_names if total else ():
        empty = 1 - int(found[f"{name}_filled"]) / total
        yield (shape.name, name, "null_share", "", empty, total)
    for name in _numbers(shape):
        filled = int(found[f"{name}_filled"])
        if filled:
            yield (shape.name, name, "mean", "", float(found[f"{name}_sum"]) / filled, filled)
            for label in ("p05", "p50", "p95"):
                yield (shape.name, name, label, "", float(found[f"{name}_{label}"]), filled)


def _shares(
    warehouse: Warehouse, shape: str, name: str, kind: str, relation: str
) -> list[tuple[object, ...]]:
    """Share of each code, or of each half octave of a number, among the filled values."""
    bucket = f"cast({name} as varchar)" if kind == "code" else _half_octave(name)
    inner = f"select {bucket} as bucket from (select {name} from {relation}) as v"
    counts = warehouse.frame(
        f"select bucket, count(*) as n from ({inner}) as b where bucket is not null "
        f"group by bucket order by n desc, bucket limit {MAX_CODES + 1}"
    )
    total = int(counts["n"].sum()) if len(counts) else 0
    if not total or len(counts) > MAX_CODES:
        return []
    named = counts[counts["n"] >= MIN_ROWS]
    shares = {
        (value if kind == "code" else _range(value)): count / total
        for value, count in zip(named["bucket"], named["n"], strict=True)
    }
    rest = total - int(named["n"].sum())
    if rest:
        shares["other"] = shares.get("other", 0.0) + rest / total
    return [(shape, name, "share", bucket, share, total) for bucket, share in shares.items()]


def _half_octave(name: str) -> str:
    magnitude = (
        f"cast(cast(floor(2 * ln(abs(cast(nullif({name}, 0) as double))) / ln(2)) as integer) "
        "as varchar)"
    )
    sign = f"case when {name} < 0 then '-' else '+' end"
    return f"case when {name} = 0 then '0' else {sign} || {magnitude} end"


def _range(bucket: str) -> str:
    if bucket == "0":
        return bucket
    exponent = int(bucket[1:])
    low, high = f"{2 ** (exponent / 2):.4g}", f"{2 ** ((exponent + 1) / 2):.4g}"
    return f"{low} to {high}" if bucket[0] == "+" else f"-{high} to -{low}"
