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
# The same street and number in two towns is no household.
SAME_HOUSEHOLD = (
    "(street_l = street_r and house_number_l is not distinct from house_number_r "
    "and coalesce(postal_code_l = postal_code_r or city_l = city_r, true)) "
    "or phone_l = phone_r or email_l = email_r"
)
# What speaks for one person under two unlike given names: called by another name, or misread.
SAME_OTHERWISE = (
    f"coalesce(birth_date_l = birth_date_r or ({BIRTH_TYPO}) or ({BIRTH_SWAPPED}) "
    "or other_id_l = other_id_r, false)"
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
                "contains(given_nicknames_l, given_name_padded_r) "
                "or contains(given_nicknames_r, given_name_padded_l)",
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
            Level("very_similar", f"{MISTYPED} and {similar('given_name', 0.92)}", 0.05),
            Level(
                "similar",
                f"case when {MISTYPED} then ({similar('given_name', 0.8)} "
                "or (length(given_name_l) > 5 and length(given_name_r) > 5 "
                f"and {edits('given_name', 2)})) else false end",
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
                "contradiction",
                f"({SAME_HOUSEHOLD}) and not {SAME_OTHERWISE}",
                0.0,
                None,
                True,
                household_share=0.80,
            ),
            # Whether birth dates agree is counted where they are compared, and there only: a level
            # for it here joined people of one town born "on 1 January 1860".
            Level("other", "ELSE", 0.05, most_share=0.15, household_share=0.20),
        ),
    ),
    Comparison(
        "family_name",
        ("family_name",),
        f"{missing('family_name')} or ({NAMES_SWAPPED})",
        (
            exact("family_name", 0.80, household_share=0.60),
            Level(
                "first_of_several",
                "starts_with(family_name_l, family_name_r || ' ') "
                "or starts_with(family_name_r, family_name_l || ' ')",
                0.03,
                household_share=0.10,
            ),
            Level("very_similar", similar("family_name", 0.92), 0.07, household_share=0.05),
            Level("similar", similar("family_name", 0.8), 0.03, household_share=0.02),
            Level("in_full_name", word_in("family_name", "full_name"), 0.02, household_share=0.03),
            Level("other", "ELSE", 0.05, household_share=0.20),
        ),
    ),
)
# Two records of one household that no link may put into one person: other given names (unless
# birth dates or numbers agree), or birth dates years apart that no two typing errors explain.
OTHER_NAMES = (
    "(given_name_l is not null and given_name_r is not null and not coalesce("
    + " or ".join(f"({level.condition})" for level in NAMES[0].levels[:-2])
    + f", false) and not {SAME_OTHERWISE})"
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
            # Unknown days are often written 1 January, and many years differ in one figure.
            Level(
                "year_one_edit",
                f"birth_month_day_l = birth_month_day_r and ({BIRTH_TYPO})",
                0.02,
                "birth_month_day",
            ),
            Level("one_edit", BIRTH_TYPO, 0.04),
            Level("same_month_and_day", "birth_month_day_l = birth_month_day_r", 0.01),
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
        # Three edits leave an address of eight letters this similar; it spares most distances.
        "and case when jaro_similarity(email_l, email_r) >= 0.75 "
        f"then levenshtein(email_l, email_r) <= 3 and not {edits('email', 1)} else false end)",
        (
            exact("email", 0.70, household_share=0.10),
            Level("one_edit", edits("email", 1), 0.03, household_share=0.01),
            Level("same_name", "email_name_l = email_name_r", 0.04, household_share=0.01),
            Level("other", "ELSE", 0.23, household_share=0.88),
        ),
    ),
    Comparison(
        "phone",
        ("phone",),
        missing("phone"),
        (
            exact("phone", 0.80, household_share=0.40),
            Level("one_edit", edits("phone", 1), 0.03, household_share=0.01),
            Level("other", "ELSE", 0.17, household_share=0.59),
        ),
    ),
    Comparison(
        "loyalty_id",
        ("loyalty_id",),
        missing("loyalty_id"),
        (
            exact("loyalty_id", 0.80, household_share=0.05),
            Level("other", "ELSE", 0.20, household_share=0.95),
        ),
    ),
)
PLACE = (
    Comparison(
        "address",
        ("street",),
        missing("street"),
        (
            Level(
                "exact",
                "street_l = street_r and house_number_l = house_number_r",
                0.75,
                household_share=0.85,
            ),
            Level(
                "similar_street",
                f"{similar('street', 0.9)} and house_number_l = house_number_r",
                0.08,
                household_share=0.08,
            ),
            Level("street", "street_l = street_r", 0.08, household_share=0.03),
            Level("similar_street_only", similar("street", 0.9), 0.02, household_share=0.01),
            Level("other", "ELSE", 0.07, household_share=0.03),
        ),
    ),
    Comparison(
        "area",
        ("postal_code", "city"),
        f"({missing('postal_code')}) and ({missing('city')})",
        (
            exact("postal_code", 0.80, household_share=0.90),
            Level(
                "city_and_near_code",
                "city_l = city_r and (postal_district_l = postal_district_r "
                f"or {edits('postal_code', 1)})",
                0.05,
                household_share=0.03,
            ),
            exact("city", 0.05, "city", household_share=0.04),
            Level(
                "near_code",
                f"postal_district_l = postal_district_r or {edits('postal_code', 1)}",
                0.03,
                household_share=0.01,
            ),
            Level("similar_city", similar("city", 0.88), 0.03, household_share=0.01),
            Level("other", "ELSE", 0.04, household_share=0.01),
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
            (
                exact(column, 0.80, household_share=0.20),
                Level("other", "ELSE", 0.20, household_share=0.80),
            ),
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
