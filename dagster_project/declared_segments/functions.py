"""The functions that a rule may call, and which divisors can never be zero.

Add a function here when its answer follows from its arguments alone, now and later, and is never
NaN or infinite: DuckDB orders both above every number, so that `>=` would be true of them. Its own
word on stability does not say so, `version` and `current_localtime` count as consistent there.
How a whole rule is judged stays out; that is `expressions.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Operators, LIKE, IN over a list, rows and INTERVAL are functions too once DuckDB has parsed them.
WRITTEN_AS_OPERATORS = _words(
    "+ - * / // % || ~~ !~~ ~~* !~~* ~~~ like_escape ilike_escape not_like_escape not_ilike_escape "
    "list_value contains row to_microseconds to_milliseconds to_seconds to_minutes to_hours "
    "to_days to_weeks to_months to_quarters to_years trunc"
)
NUMBERS = _words(
    "abs ceil ceiling floor round round_even roundbankers trunc sign greatest least mod nullif "
    "ifnull if isnan isinf isfinite"
)
TEXTS = _words(
    "lower lcase upper ucase trim ltrim rtrim length len char_length character_length strlen left "
    "right substr substring overlay replace translate reverse repeat lpad rpad concat concat_ws "
    "contains starts_with ends_with prefix suffix strpos instr position split_part strip_accents "
    "ascii regexp_matches regexp_full_match regexp_extract regexp_replace md5"
)
DATES = _words(
    "year quarter month week day dayofmonth dayofweek isodow weekday dayofyear weekofyear isoyear "
    "yearweek decade century monthname dayname date_part datepart date_trunc datetrunc date_diff "
    "datediff date_sub datesub date_add last_day make_date age strftime strptime try_strptime "
    "epoch"
)
LISTS = _words("list_contains list_has array_contains array_has")
FUNCTIONS = WRITTEN_AS_OPERATORS | NUMBERS | TEXTS | DATES | LISTS
CLOCKS = _words(
    "current_date current_time current_timestamp localtime localtimestamp current_localtime "
    "current_localtimestamp now today get_current_time get_current_timestamp "
    "transaction_timestamp ago"
)
DIVISIONS = frozenset({"/", "//", "%", "mod"})


def arguments(node: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a parsed function or operator is applied to."""
    found = []
    for child in node.get("children") or node.get("arguments") or []:
        inner = child.get("expression", child)
        found.append(inner)
    return found


def is_never_zero(node: Mapping[str, Any]) -> bool:
    """Whether a parsed divisor is a number other than 0 or NULL, whoever the customer is.

    A number, nullif(anything, 0), greatest(anything, a number above 0), coalesce of these, and
    their negatives are; of a column nobody knows.
    """
    kind, name = node.get("class"), str(node.get("function_name", "")).lower()
    if kind == "CONSTANT":
        return number(node) not in (None, 0.0)
    inner = arguments(node)
    if kind == "OPERATOR":
        return node.get("type") == "OPERATOR_COALESCE" and all(map(is_never_zero, inner))
    if kind != "FUNCTION":
        return False
    if name == "nullif" and len(inner) == 2:
        return number(inner[1]) == 0.0
    if name == "greatest":
        return any((number(value) or 0.0) > 0.0 for value in inner)
    return name == "-" and len(inner) == 1 and is_never_zero(inner[0])


def number(node: Mapping[str, Any]) -> float | None:
    """The number that stands there, None where something else does."""
    literal = node.get("literal") or node.get("value") or {}
    if node.get("class") != "CONSTANT" or literal.get("kind") not in ("INTEGER", "NUMERIC"):
        return None
    return float(str(literal["text"]).replace("_", ""))
