"""Grades of agreement between two records, and the SQL of those that many columns share.

Add here a condition that more than one column can use.
Which columns are compared, and in how many grades, lives in ``comparisons``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Level:
    """A grade of agreement.

    Attributes
    ----------
    name : str
    condition : str
        SQL; levels are tried in order. The last level of a comparison is ELSE.
    expected_share : float
        Among true pairs, before any data: start and prior of the estimate.
    term_frequency_column : str or None
        Agreement on a rare value of this column weighs more.
    is_contradiction : bool
        No pair of one person shows it: probability 0, whatever else agrees.
    most_share : float
        No more true pairs than this show it: without a bound EM can settle on namesakes, whose
        birth dates differ, instead of persons.
    """

    name: str
    condition: str
    expected_share: float
    term_frequency_column: str | None = None
    is_contradiction: bool = False
    most_share: float = 1.0


@dataclass(frozen=True)
class Comparison:
    """Levels of one subject, the columns it needs, and when it says nothing."""

    name: str
    columns: tuple[str, ...]
    unknown: str
    levels: tuple[Level, ...]


def missing(column: str) -> str:
    return f"{column}_l is null or {column}_r is null"


def exact(column: str, expected_share: float, name: str = "exact") -> Level:
    return Level(name, f"{column}_l = {column}_r", expected_share, column)


def word_in(column: str, text: str) -> str:
    """A value is a word of the other record's text, on either side."""
    return (
        f"contains(' ' || {text}_l || ' ', ' ' || {column}_r || ' ') "
        f"or contains(' ' || {text}_r || ' ', ' ' || {column}_l || ' ')"
    )


def similar(column: str, least: float) -> str:
    return f"jaro_winkler_similarity({column}_l, {column}_r) >= {least}"


def edits(column: str, most: int) -> str:
    """At most so many letters inserted, left out, replaced or swapped with their neighbours.

    Swaps make the distance dear (7 microseconds for an e-mail); length and the plain distance, of
    which a swap is two, sort out almost all pairs before.
    """
    left, right = f"{column}_l", f"{column}_r"
    return (
        f"(abs(length({left}) - length({right})) <= {most} "
        f"and levenshtein({left}, {right}) <= {2 * most} "
        f"and damerau_levenshtein({left}, {right}) <= {most})"
    )
