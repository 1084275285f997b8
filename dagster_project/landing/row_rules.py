"""The row rules of staging as SQL over delivered text, so that check-source can count them unrun.

Change a rule here when dbt/macros/row_rules.sql or casts.sql changes; a test runs both on one file.
What needs the rates of currencies is in rate_rules.py; amount_too_large is left to the run.
"""

from collections.abc import Iterable

import duckdb

from dagster_project.country_names import country_codes, plain_sql
from dagster_project.landing.consent_words import GRANTING, PURPOSES, consent_word
from dagster_project.landing.delivery import quoted
from dagster_project.source_contract import Column, ColumnType, Shape
from dagster_project.sql_text import literal

_CASTS: dict[ColumnType, str] = {
    "timestamp": "timestamptz",
    "date": "timestamp",
    "integer": "bigint",
    "boolean": "boolean",
}
# Type and limit of a kind of number, as in dbt/macros/casts.sql, with which a test compares them.
NUMBERS = {
    "money": ("decimal(18, 4)", 10**12),
    "rate": ("decimal(18, 8)", 10**6),
    "number": ("decimal(18, 6)", 10**9),
}
_UNREADABLE: dict[ColumnType, str] = {
    "timestamp": "bad_timestamp",
    "date": "bad_timestamp",
    "boolean": "bad_boolean",
    "decimal": "bad_number",
    "rate": "bad_number",
    "double": "bad_number",
    "integer": "bad_number",
}


def filled(column: Column) -> str:
    """The text of a column without surrounding spaces, NULL when empty."""
    return f"nullif(trim({quoted(column.name)}), '')"


def readable(column: Column) -> str:
    """The value of a column as staging casts it, NULL when it cannot be read."""
    text = filled(column)
    if column.name == "is_granted":
        text = consent_word(text, GRANTING)
    if column.type in ("decimal", "double", "rate"):
        type_, limit = NUMBERS[_kind(column)]
        value = f"try_cast({_number_text(text)} as {type_})"
        # A latitude has no limit of its own: it only must fit.
        is_bounded = column.type != "double"
        return f"case when abs({value}) < {limit} then {value} end" if is_bounded else value
    if column.type == "country":
        known = ", ".join(literal(name) for name in country_codes())
        return f"case when {plain_sql(text)} in ({known}) then {text} end"
    value = f"try_cast({text} as {_CASTS[column.type]})"
    if column.type in ("timestamp", "date"):
        return f"case when {value} >= '1900-01-01' and {value} < '2200-01-01' then {value} end"
    return value


def _kind(column: Column) -> str:
    if column.type == "rate":
        return "rate"
    return "number" if column.type == "double" or column.name == "quantity" else "money"


def always_midnight(column: Column) -> str:
    """Whether every time of a column is written out as midnight: dates that became instants."""
    text = filled(column)
    times = "'^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]00:00(:00([.]0+)?)?(Z|[+]00(:?00)?)?$'"
    return f"count({text}) > 0 and count(*) filter (not regexp_matches({text}, {times})) = 0"


def rows_set_aside(
    shape: Shape,
    delivered: Iterable[str],
    rows: str,
    connection: duckdb.DuckDBPyConnection,
    lacks_rate: str | None = None,
) -> dict[str, int]:
    """Rows by the first rule they break; a row that only repeats a key is `repeated_key`.

    Parameters
    ----------
    rows
        SELECT of the delivered columns as text.
    lacks_rate
        SQL that is true for a row whose currency has no rate.
    """
    there = {column.name: column for column in shape.columns if column.name in set(delivered)}
    tests = [(f"{filled(there[name])} is null", "missing_key") for name in shape.key]
    tests += [
        (f"{filled(column)} is null", "missing_value")
        for column in there.values()
        if column.required and column.type == "text" and column.name not in shape.key
    ]
    for column in there.values():
        if column.type != "text" and (column.required or column.is_strict):
            is_bad = f"{readable(column)} is null"
            if column.is_strict:
                is_bad += f" and {filled(column)} is not null"
            tests.append((is_bad, _UNREADABLE[column.type]))
    for column in there.values():
        if column.name.endswith("_amount") and (column.required or column.is_strict):
            tests.append((f"{readable(column)} < 0", "negative_amount"))
        elif column.type == "rate":
            tests.append((f"{readable(column)} <= 0", "negative_amount"))
    if shape.any_of:
        named = ", ".join([*(filled(there[n]) for n in shape.any_of if n in there), "null"])
        tests.append((f"coalesce({named}) is null", "missing_customer"))
    if lacks_rate:
        tests.append((lacks_rate, "unknown_currency"))
    key_texts = {name: filled(there[name]) for name in shape.key}
    if "purpose" in there:
        key_texts["purpose"] = consent_word(key_texts["purpose"], PURPOSES)
        tests.append((f"{key_texts['purpose']} is null", "unknown_purpose"))
    rule = "case " + " ".join(f"when {test} then '{name}'" for test, name in tests) + " end"
    key = ", ".join(
        text if there[name].type == "text" else readable(there[name])
        for name, text in key_texts.items()
    )
    counted = connection.execute(
        f"with judged as (select {rule} as rule, ({key}) as row_key from ({rows})) "
        "select rule, count(*) from judged where rule is not null group by rule union all "
        "select 'repeated_key', count(*) - count(distinct row_key) from judged where rule is null "
        "order by 1"
    ).fetchall()
    return {name: count for name, count in counted if count}


def _number_text(text: str) -> str:
    return (
        f"case when {text} not like '%,%' then {text} "
        f"when regexp_matches({text}, '^[+-]?[0-9]+,[0-9]{{1,2}}$') then replace({text}, ',', '.') "
        f"when regexp_matches({text}, '^[+-]?[0-9]{{1,3}}([.][0-9]{{3}})+,[0-9]{{1,2}}$') "
        f"then replace(replace({text}, '.', ''), ',', '.') "
        f"when regexp_matches({text}, '^[+-]?[0-9]{{1,3}}(,[0-9]{{3}})+[.][0-9]{{1,2}}$') "
        f"then replace({text}, ',', '') end"
    )
