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
    household_share : float
        Among pairs of two persons of one household, before any data; NaN for what is a person's
        own, in which they agree as strangers do.
    """

    name: str
    condition: str
    expected_share: float
    term_frequency_column: str | None = None
    is_contradiction: bool = False
    most_share: float = 1.0
    household_share: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """Levels of one subject, the columns it needs, and when it says nothing."""

    name: str
    columns: tuple[str, ...]
    unknown: str
    levels: tuple[Level, ...]


def missing(column: str) -> str:
    return f"{column}_l is null or {column}_r is null"


def exact(
    column: str,
    expected_share: float,
    name: str = "exact",
    household_share: float = float("nan"),
) -> Level:
    condition = f"{column}_l = {column}_r"
    return Level(name, condition, expected_share, column, household_share=household_share)


def word_in(column: str, text: str) -> str:
    """A value is a word of the other record's text, on either side.

    Both stand between blanks in columns of their own: joining them on for every pair took twice the
    time of the search.
    """
    return (
        f"contains({text}_padded_l, {column}_padded_r) "
        f"or contains({text}_padded_r, {column}_padded_l)"
    )


def similar(column: str, least: float) -> str:
    return f"jaro_winkler_similarity({column}_l, {column}_r) >= {least}"


def edits(column: str, most: int) -> str:
    """At most so many letters inserted, left out, replaced or swapped with their neighbours.

    The distances are dear (7 microseconds for an e-mail), so cheaper tests that every such pair
    passes come first: texts of one length differ in two places for each edit at most (unless one
    letter is left out and another put in, which is taken for no typing error), and one edit leaves
    the first or the last half as it was.
    """
    left, right = f"{column}_l", f"{column}_r"
    half = f"greatest(least(length({left}), length({right})) // 2 - 1, 0)"
    halves = (
        f"(left({left}, {half}) = left({right}, {half}) "
        f"or right({left}, {half}) = right({right}, {half}))"
    )
    gate = halves if most == 1 else f"levenshtein({left}, {right}) <= {2 * most}"
    return (
        f"(case when strlen({left}) = strlen({right}) "
        f"then case when hamming({left}, {right}) <= {2 * most} "
        f"then damerau_levenshtein({left}, {right}) <= {most} else false end "
        f"when abs(length({left}) - length({right})) <= {most} then case when {gate} "
        f"then damerau_levenshtein({left}, {right}) <= {most} else false end "
        "else false end)"
    )
