"""When two telephone numbers are one: how a number is compared however it is written.

Add here another spelling of one number. Numbers are compared whole: the last digits alone are
those of another person in the next city or country.
"""

from __future__ import annotations

import pandas as pd

from models_py.record_linkage.phones import normalise_phones

DIGITS_MIN = 7
# A country code has at most three digits; the zeros before a number are never kept.
COUNTRY_DIGITS = 3


def phone_form(column: str) -> str:
    """SQL of the normal form of telephones: all digits, without zeros before them.

    NULL when there are fewer than seven digits.
    """
    digits = f"regexp_replace(replace({column}, '(0)', ''), '[^0-9]', '', 'g')"
    number = f"ltrim({digits}, '0')"
    return f"case when length({number}) >= {DIGITS_MIN} then {number} end"


def phone_of(text: str) -> str | None:
    """The same normal form of one telephone."""
    text = text.replace("(0)", "")
    number = "".join(sign for sign in text if sign in "0123456789").lstrip("0")
    return number if len(number) >= DIGITS_MIN else None


def full_number(text: str, country: str | None) -> str | None:
    """Digits of the number in E.164; None when its country cannot be known."""
    read = normalise_phones(pd.DataFrame({"phone": [text], "country_code": [""]}), country)
    number = read["e164"].iloc[0] if len(read) else None
    return str(number).removeprefix("+") if number else None


def without_country(number: str) -> str:
    """The national digits of a number in E.164, in normal form."""
    import phonenumbers

    return str(phonenumbers.parse(f"+{number}", None).national_number)


def could_be_one(left: str, right: str) -> str:
    """SQL that is true where two normal forms differ by no more than a country code."""
    return (
        f"(abs(length({left}) - length({right})) <= {COUNTRY_DIGITS} "
        f"and (ends_with({left}, {right}) or ends_with({right}, {left})))"
    )
