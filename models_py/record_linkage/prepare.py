"""Records as the linkage compares them: cleaned text, one row per record in the order of its key.

Add here a column that is derived from one record alone and that comparisons or blocks need.
What two records say of each other stays out and is a comparison.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.frames import require_columns, require_complete
from models_py.record_linkage.keys import RECORD_KEY

TABLE = "identity.normalised_records"
COMPARED = [
    "given_name",
    "family_name",
    "full_name",
    "birth_date",
    "gender",
    "email",
    "phone",
    "street",
    "house_number",
    "postal_code",
    "city",
    "other_id",
    "loyalty_id",
]


def prepare_records(records: pd.DataFrame, extra_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return the compared columns as clean text, ordered by key and numbered.

    Parameters
    ----------
    records : DataFrame
        source_system, source_record_id and any of `COMPARED` and `extra_columns`; missing columns
        become NULL. birth_date is a date or text YYYY-MM-DD (text keeps impossible dates, which
        are typing errors and still comparable).

    Returns
    -------
    DataFrame
        source_system, source_record_id, record (0, 1, ... in key order), the compared columns,
        given_nicknames (" bob  rob " or NULL), given_is_usual (too common to be a typing error),
        birth_month_day, postal_district (code before a blank), email_name (before the @),
        family_sound and given_sound (first letter and consonants), given_name_padded and so on
        (names between blanks, to find them in one another).

    Raises
    ------
    ValueError
        If a key is NULL or comes twice.
    """
    require_columns(records, RECORD_KEY, TABLE)
    require_complete(records, RECORD_KEY, TABLE, "Give every record a key in staging.")
    keys = records[RECORD_KEY].astype("str")
    twice = int(keys.duplicated().sum())
    if twice:
        raise ValueError(f"{TABLE} holds {twice} records more than once: one row per record key.")
    order = keys.sort_values(RECORD_KEY, kind="stable").index
    ordered = records.loc[order].reset_index(drop=True)
    prepared = keys.loc[order].reset_index(drop=True)
    prepared["record"] = np.arange(len(prepared), dtype=np.int64)
    for column in [*COMPARED, *extra_columns]:
        prepared[column] = _text(ordered, column)
    for column in ("given_name", "family_name", "full_name"):
        prepared[column] = _words(prepared[column])
    _fill_names(prepared)
    prepared["given_nicknames"] = _by_value(prepared["given_name"], _nicknames())
    prepared["birth_month_day"] = prepared["birth_date"].str[5:]
    prepared["postal_district"] = prepared["postal_code"].str.replace(r" .*", "", regex=True)
    prepared["email_name"] = prepared["email"].str.replace(r"@.*", "", regex=True)
    for name in ("given", "family"):
        prepared[f"{name}_sound"] = _by_value(prepared[f"{name}_name"], sound)
    for column in ("given_name", "family_name", "full_name"):
        prepared[f"{column}_padded"] = " " + prepared[column] + " "
    # Names that occur twenty times and in one record of ten thousand are no typing errors.
    times = prepared["given_name"].map(prepared["given_name"].value_counts()).fillna(0)
    prepared["given_is_usual"] = (times >= max(20.0, len(prepared) / 10_000)).astype(bool)
    return prepared


def _text(records: pd.DataFrame, column: str) -> pd.Series:
    if column not in records.columns:
        return pd.Series([None] * len(records), dtype="str")
    values = records[column]
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.dt.strftime("%Y-%m-%d")
    text = values.astype("str").where(values.notna())
    text = text.str.strip().str.lower()
    return text.where(text.str.len() > 0)


def _words(names: pd.Series) -> pd.Series:
    """Points and commas of names fall away: "j." is an initial."""
    bare = names.str.replace(r"[.,;]+", " ", regex=True).str.replace(r"\s+", " ", regex=True)
    bare = bare.str.strip()
    return bare.where(bare.str.len() > 0)


def _fill_names(prepared: pd.DataFrame) -> None:
    """Without both parts of a name, the first and last word of the full name stand for them."""
    bare = prepared["given_name"].isna() & prepared["family_name"].isna()
    whole = prepared.loc[bare, "full_name"]
    given, family = (
        whole.str.replace(r" .*", "", regex=True),
        whole.str.replace(r".* ", "", regex=True),
    )
    prepared.loc[bare, "given_name"] = given.where(given != whole)
    prepared.loc[bare, "family_name"] = family
    _place_single_words(prepared)
    whole = prepared["given_name"].fillna("") + " " + prepared["family_name"].fillna("")
    named = prepared["given_name"].notna() | prepared["family_name"].notna()
    prepared["full_name"] = prepared["full_name"].fillna(whole.where(named).str.strip())


def _place_single_words(prepared: pd.DataFrame) -> None:
    """A name of one word stands where the records with two have that word more often.

    In historical_figures 1,900 records hold a surname for a given name: compared with given names
    they found nobody.
    """
    both = prepared["given_name"].notna() & prepared["family_name"].notna()
    times = [prepared.loc[both, f"{part}_name"].value_counts() for part in ("given", "family")]
    for here, there, own, other in (
        ("given_name", "family_name", times[0], times[1]),
        ("family_name", "given_name", times[1], times[0]),
    ):
        alone = prepared[here].notna() & prepared[there].isna()
        word = prepared.loc[alone, here]
        elsewhere = word[word.map(other).fillna(0) > word.map(own).fillna(0)]
        prepared.loc[elsewhere.index, there] = elsewhere
        prepared.loc[elsewhere.index, here] = None


def _by_value(values: pd.Series, function) -> pd.Series:  # type: ignore[no-untyped-def]
    """Apply a function once per distinct value: a million records hold some ten thousand names."""
    codes, distinct = pd.factorize(values)
    answers = np.array([*(function(value) for value in distinct), None], dtype=object)
    return pd.Series(answers[codes], dtype="str")


def sound(name: str) -> str | None:
    """First letter and the next three consonants, doubled ones once: smith and smyth are smth."""
    letters = [letter for letter in name if "a" <= letter <= "z"]
    if not letters:
        return None
    kept = [letters[0]]
    for letter in letters[1:]:
        if letter not in "aeiouyhw" and letter != kept[-1]:
            kept.append(letter)
    return "".join(kept[:4])


def _nicknames():  # type: ignore[no-untyped-def]
    from nicknames import NickNamer

    library = NickNamer()

    def known(name: str) -> str | None:
        first = name.split(" ")[0]
        same = library.nicknames_of(first) | library.canonicals_of(first)
        # Blanks on both sides: a nickname is found as a word (comparisons search padded names).
        return " " + "  ".join(sorted(same)) + " " if same else None

    return known
