"""What is compared between two records, level by level, and which levels a true pair shows.

Add here a comparison or a level, as SQL over `<column>_l` and `<column>_r`, best level first.
How often levels occur is learned from the data and stays out (``training``).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from models_py.record_linkage.levels import (
    Comparison,
    Level,
    edits,
    exact,
    missing,
    similar,
    word_in,
)

# A column that fewer records carry says too little to learn from.
MIN_FILLED_SHARE = 0.01


BIRTH_SWAPPED = (
    "substr(birth_date_l, 1, 4) = substr(birth_date_r, 1, 4) "
    "and substr(birth_date_l, 6, 2) = substr(birth_date_r, 9, 2) "
    "and substr(birth_date_l, 9, 2) = substr(birth_date_r, 6, 2)"
)
BIRTH_TYPO = edits("birth_date", 1)
NAMES_SWAPPED = "given_name_l = family_name_r and family_name_l = given_name_r"
# Maria and Marta are two sisters, not a typing error: typing errors make rare words.
MISTYPED = "not (given_is_usual_l and given_is_usual_r)"

# What a household shares: agreement here makes two given names two people, not one.
SAME_HOUSEHOLD = (
    "(street_l = street_r and house_number_l is not distinct from house_number_r) "
    "or phone_l = phone_r or email_l = email_r"
)
NAMES = (
    Comparison(
        "given_name",
        ("given_name",),
        missing("given_name"),
        (
            exact("given_name", 0.80),
            Level("swapped", NAMES_SWAPPED, 0.01),
            Level(
                "nickname",
                "contains(given_nicknames_l, '|' || given_name_r || '|') "
                "or contains(given_nicknames_r, '|' || given_name_l || '|')",
                0.03,
            ),
            Level(
                "first_of_several",
                "starts_with(given_name_l, given_name_r || ' ') "
                "or starts_with(given_name_r, given_name_l || ' ')",
                0.02,
            ),
            Level(
                "initial",
                "left(given_name_l, 1) = left(given_name_r, 1) "
                "and (length(given_name_l) = 1 or length(given_name_r) = 1)",
                0.01,
            ),
            Level("very_similar", f"{similar('given_name', 0.92)} and {MISTYPED}", 0.05),
            Level(
                "similar",
                f"({similar('given_name', 0.8)} or (length(given_name_l) > 5 "
                "and length(given_name_r) > 5 "
                f"and {edits('given_name', 2)})) and {MISTYPED}",
                0.03,
            ),
            Level(
                "swapped_and_similar",
                "jaro_winkler_similarity(given_name_l, family_name_r) >= 0.8 "
                "and jaro_winkler_similarity(family_name_l, given_name_r) >= 0.8",
                0.005,
            ),
            Level("in_full_name", word_in("given_name", "full_name"), 0.01),
            Level(
                "other_but_same_birth_or_number",
                f"birth_date_l = birth_date_r or ({BIRTH_TYPO}) or ({BIRTH_SWAPPED}) "
                "or other_id_l = other_id_r",
                0.02,
            ),
            Level("contradiction", SAME_HOUSEHOLD, 0.0, None, True),
            Level("other", "ELSE", 0.03, most_share=0.15),
        ),
    ),
    Comparison(
        "family_name",
        ("family_name",),
        f"{missing('family_name')} or ({NAMES_SWAPPED})",
        (
            exact("family_name", 0.80),
            Level(
                "first_of_several",
                "starts_with(family_name_l, family_name_r || ' ') "
                "or starts_with(family_name_r, family_name_l || ' ')",
                0.03,
            ),
            Level("very_similar", similar("family_name", 0.92), 0.07),
            Level("similar", similar("family_name", 0.8), 0.03),
            Level("in_full_name", word_in("family_name", "full_name"), 0.02),
            Level("other", "ELSE", 0.05),
        ),
    ),
)
# Two records of one household that no link may put into one person: other given names (unless
# birth dates or numbers agree), or birth dates years apart that no two typing errors explain.
OTHER_NAMES = (
    "(given_name_l is not null and given_name_r is not null and not coalesce("
    + " or ".join(f"({level.condition})" for level in NAMES[0].levels[:-2])
    + ", false))"
)
OTHER_BIRTH = (
    "(abs(try_cast(left(birth_date_l, 4) as integer) "
    "- try_cast(left(birth_date_r, 4) as integer)) >= 2 "
    "and damerau_levenshtein(birth_date_l, birth_date_r) > 2 "
    "and not coalesce(other_id_l = other_id_r, false))"
)
PERSON = (
    Comparison(
        "birth_date",
        ("birth_date",),
        missing("birth_date"),
        (
            exact("birth_date", 0.85),
            Level("day_and_month_swapped", BIRTH_SWAPPED, 0.01),
            Level("one_edit", BIRTH_TYPO, 0.06),
            Level("same_month_and_day", "substr(birth_date_l, 6) = substr(birth_date_r, 6)", 0.01),
            Level("same_month", "left(birth_date_l, 7) = left(birth_date_r, 7)", 0.01),
            Level("same_year", "left(birth_date_l, 4) = left(birth_date_r, 4)", 0.02),
            Level("two_edits", edits("birth_date", 2), 0.02),
            Level("other", "ELSE", 0.02, most_share=0.06),
        ),
    ),
    Comparison(
        "gender",
        ("gender",),
        missing("gender"),
        (
            Level("exact", "gender_l = gender_r", 0.96),
            Level("other", "ELSE", 0.04, most_share=0.10),
        ),
    ),
    Comparison(
        "other_id",
        ("other_id",),
        missing("other_id"),
        (
            exact("other_id", 0.90),
            Level("one_edit", edits("other_id", 1), 0.05),
            Level("other", "ELSE", 0.05),
        ),
    ),
)
CONTACT = (
    Comparison(
        "email",
        ("email",),
        # Addresses are made of names, so two that are similar say no more than the names do; only
        # a few edits, which may be typing errors, are taken for no evidence at all.
        f"{missing('email')} or (email_l <> email_r "
        "and abs(length(email_l) - length(email_r)) <= 3 "
        f"and levenshtein(email_l, email_r) <= 3 and not {edits('email', 1)})",
        (
            exact("email", 0.70),
            Level("one_edit", edits("email", 1), 0.03),
            Level("same_name", "email_name_l = email_name_r", 0.04),
            Level("other", "ELSE", 0.23),
        ),
    ),
    Comparison(
        "phone",
        ("phone",),
        missing("phone"),
        (
            exact("phone", 0.80),
            Level("one_edit", edits("phone", 1), 0.03),
            Level("other", "ELSE", 0.17),
        ),
    ),
    Comparison(
        "loyalty_id",
        ("loyalty_id",),
        missing("loyalty_id"),
        (exact("loyalty_id", 0.80), Level("other", "ELSE", 0.20)),
    ),
)
PLACE = (
    Comparison(
        "address",
        ("street",),
        missing("street"),
        (
            Level("exact", "street_l = street_r and house_number_l = house_number_r", 0.75),
            Level(
                "similar_street",
                f"{similar('street', 0.9)} and house_number_l = house_number_r",
                0.08,
            ),
            Level("street", "street_l = street_r", 0.08),
            Level("similar_street_only", similar("street", 0.9), 0.02),
            Level("other", "ELSE", 0.07),
        ),
    ),
    Comparison(
        "area",
        ("postal_code", "city"),
        f"({missing('postal_code')}) and ({missing('city')})",
        (
            exact("postal_code", 0.80),
            Level(
                "city_and_near_code",
                f"city_l = city_r and ({edits('postal_code', 1)} "
                "or split_part(postal_code_l, ' ', 1) = split_part(postal_code_r, ' ', 1))",
                0.05,
            ),
            exact("city", 0.05, "city"),
            Level(
                "near_code",
                f"{edits('postal_code', 1)} "
                "or split_part(postal_code_l, ' ', 1) = split_part(postal_code_r, ' ', 1)",
                0.03,
            ),
            Level("similar_city", similar("city", 0.88), 0.03),
            Level("other", "ELSE", 0.04),
        ),
    ),
)


def comparisons_of(
    prepared: pd.DataFrame, extra_columns: Sequence[str] = (), *, everything: bool = False
) -> tuple[Comparison, ...]:
    """Return the comparisons whose columns enough records carry with several values, or all."""
    extras = tuple(
        Comparison(
            column,
            (column,),
            missing(column),
            (exact(column, 0.80), Level("other", "ELSE", 0.20)),
        )
        for column in extra_columns
    )
    known = (*NAMES, *PERSON, *CONTACT, *PLACE, *extras)
    usable = {
        column
        for comparison in known
        for column in comparison.columns
        if prepared[column].notna().mean() >= MIN_FILLED_SHARE
        and len(prepared[column].dropna().unique()) > 1
    }
    return tuple(c for c in known if everything or usable & set(c.columns))
