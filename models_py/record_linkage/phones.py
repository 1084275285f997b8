"""Telephone numbers in any notation to E.164.

Add here what decides whether a text is a telephone number.
E-mail addresses, names and streets are spelt alike in SQL.
"""

from __future__ import annotations

import re

import pandas as pd

from models_py.frames import require_columns

_ALL_ALIKE = re.compile(r"^(\d)\1+$")
_COUNTED_UP = ("0123456789", "1234567890", "9876543210")


def normalise_phones(phones: pd.DataFrame, default_country: str | None = None) -> pd.DataFrame:
    """Read telephone numbers with the numbering plans of the world (library phonenumbers).

    Parameters
    ----------
    phones : DataFrame
        phone (text as received), country_code (ISO 3166 code of the record, '' when unknown).
    default_country : str, optional
        Country of numbers that name none and whose record names none. A record of a country without
        a numbering plan is not read by it.

    Returns
    -------
    DataFrame
        phone, country_code, e164 (NULL unless the number has a length that its country uses and is
        not made up, such as 999999999), is_valid (True when the numbering plan knows its range:
        plans grow faster than the library, so it does not decide); ordered by phone and country.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    require_columns(phones, ["phone", "country_code"], "telephone numbers of staging")
    pairs = phones[["phone", "country_code"]].dropna().drop_duplicates()
    pairs = pairs.sort_values(["phone", "country_code"], ignore_index=True)
    read = [
        _read(str(phone), str(country), default_country)
        for phone, country in pairs.itertuples(index=False)
    ]
    return pairs.assign(
        e164=pd.Series([number for number, _ in read], dtype=object),
        is_valid=pd.Series([valid for _, valid in read], dtype=bool),
    )


def _read(phone: str, country: str, default_country: str | None) -> tuple[str | None, bool]:
    import phonenumbers

    region = country.strip().upper() or default_country
    try:
        number = phonenumbers.parse(re.sub(r"^\s*00", "+", phone), region)
    except phonenumbers.NumberParseException:
        return None, False
    national = str(number.national_number)
    made_up = bool(_ALL_ALIKE.match(national)) or any(national in run for run in _COUNTED_UP)
    if made_up or not phonenumbers.is_possible_number(number):
        return None, False
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text, phonenumbers.is_valid_number(number)
