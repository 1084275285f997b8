"""When two records cannot be one person, whatever they share.

Add here a combination of names and dates that keeps two records apart.
How alike two records must be in order to be joined is learned by the probabilistic linkage.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

import pandas as pd

# Below this share of common letters two given names are two names. One slip in four letters leaves
# 0.75 (Juan, Juna); Jose and Juan share 0.5, Carmen and Carolina 0.57.
ALIKE = 0.75
GENERATION_YEARS = 12
PORTRAIT_COLUMNS = ["given_name", "family_name", "birth_date", "gender"]


@dataclass(frozen=True)
class Portrait:
    """What a record says of its person.

    Parameters
    ----------
    given_name, family_name
        As in identity.normalised_records: lower case, no accents; None when unknown.
    birth_date
        None when unknown or implausible.
    gender
        f, m or None.
    """

    given_name: str | None = None
    family_name: str | None = None
    birth_date: dt.date | None = None
    gender: str | None = None


def as_portraits(portraits: pd.DataFrame) -> list[Portrait]:
    """The rows of a frame as portraits, None for what is missing."""
    columns = portraits[PORTRAIT_COLUMNS].astype(object)
    columns = columns.where(columns.notna(), None)
    return [Portrait(*row) for row in columns.itertuples(index=False)]


def contradict(one: Portrait, other: Portrait) -> bool:
    """Return whether two portraits show two people.

    They do when their given names are clearly different, or only alike and of two genders (Mario
    and Maria), and their birth dates do not agree: a couple with one address. They also do when the names agree and the birth dates are a generation apart in
    more digits than one slip of the hand changes (parent and child of one name).
    """
    dates = (one.birth_date, other.birth_date)
    same_day = None not in dates and dates[0] == dates[1]
    if one.given_name and other.given_name and one.given_name != other.given_name:
        two_genders = bool(one.gender and other.gender and one.gender != other.gender)
        if two_genders or different_names(one.given_name, other.given_name):
            return not same_day
    if one.birth_date is None or other.birth_date is None:
        return False
    return _a_generation_apart(one.birth_date, other.birth_date)


@cache
def different_names(one: str, other: str) -> bool:
    """Return whether two given names are clearly not spellings or short forms of one name."""
    words, others = set(one.split()), set(other.split())
    if words & others:
        return False
    return not any(_akin(word, another) for word in words for another in others)


def _akin(one: str, other: str) -> bool:
    if one.startswith(other) or other.startswith(one):  # an initial, Alex for Alexander
        return True
    if _short_forms(one) & _short_forms(other):
        return True
    return SequenceMatcher(None, min(one, other), max(one, other)).ratio() >= ALIKE


@cache
def _short_forms(name: str) -> frozenset[str]:
    """Return the name with its nicknames and the names it is a nickname of (library nicknames)."""
    from nicknames import NickNamer

    book = _book(NickNamer)
    return frozenset({name} | book.nicknames_of(name) | book.canonicals_of(name))


@cache
def _book(namer):  # type: ignore[no-untyped-def]
    return namer()


def _a_generation_apart(one: dt.date, other: dt.date) -> bool:
    if abs(one.year - other.year) < GENERATION_YEARS:
        return False
    digits = zip(one.strftime("%Y%m%d"), other.strftime("%Y%m%d"), strict=True)
    return sum(a != b for a, b in digits) > 2
