"""Public and simulated data sets of record linkage in the columns of identity.normalised_records.

Add here an adapter of a data set whose truth is known.
Linking and scoring stay out and live in `linkage.py`.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pandas as pd

KEY = ["source_system", "source_record_id"]


def _keyed(frame: pd.DataFrame, key: pd.Series, person: pd.Series, system: str) -> pd.DataFrame:
    return frame.assign(
        source_system=system, source_record_id=key.astype("str"), person_id=person.astype("str")
    )


def febrl(folder: Path, *names: str) -> pd.DataFrame:
    """Febrl sets: the number in rec_id is the person; dates YYYYMMDD stay text, typos and all."""
    parts = []
    for name in names:
        raw = pd.read_parquet(folder / f"{name}.parquet")
        raw = raw.apply(lambda column: column.astype("str").str.strip())
        date = raw["date_of_birth"]
        frame = pd.DataFrame(
            {
                "given_name": raw["given_name"],
                "family_name": raw["surname"],
                "birth_date": date.str[:4] + "-" + date.str[4:6] + "-" + date.str[6:],
                "street": raw["address_1"],
                "house_number": raw["street_number"],
                "city": raw["suburb"],
                "postal_code": raw["postcode"],
                "other_id": raw["soc_sec_id"],
            }
        )
        person = raw["rec_id"].str.extract(r"rec-(\d+)-")[0]
        parts.append(_keyed(frame, raw["rec_id"], person, name))
    return pd.concat(parts, ignore_index=True)


def fake_1000(folder: Path) -> pd.DataFrame:
    """Splink's fake_1000: names, birth date, city, e-mail."""
    raw = pd.read_parquet(folder / "splink_fake_1000.parquet")
    frame = raw.rename(
        columns={"first_name": "given_name", "surname": "family_name", "dob": "birth_date"}
    )[["given_name", "family_name", "birth_date", "city", "email"]]
    frame = frame.apply(lambda column: column.str.lower())
    return _keyed(frame, raw["unique_id"], raw["cluster"], "fake")


def historical(folder: Path) -> pd.DataFrame:
    """Splink's 50,000 records of historical persons; the birth place stands for the city."""
    raw = pd.read_parquet(folder / "splink_historical_50k.parquet")
    frame = raw.rename(
        columns={
            "first_name": "given_name",
            "surname": "family_name",
            "dob": "birth_date",
            "birth_place": "city",
            "postcode_fake": "postal_code",
        }
    )[
        ["given_name", "family_name", "full_name", "birth_date", "city", "postal_code", "gender",
         "occupation"]
    ]  # fmt: skip
    return _keyed(frame, raw["unique_id"], raw["cluster"], "historical")


def _letters(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    bare = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9 ]+", " ", bare).strip() or None


def retailer(folder: Path, truth: Path) -> pd.DataFrame:
    """Simulated chain as the identity room normalises it; household_id comes with the truth."""
    raw = pd.read_parquet(folder / "customer_records.parquet")
    raw = raw[raw["source_record_id"].notna()].drop_duplicates(KEY)
    clean = {c: raw[c].map(_letters) for c in ("first_name", "last_name", "full_name", "city")}
    words = clean["full_name"].str.split(n=1)
    address = raw["street"].str.rsplit(",", n=1)
    phone = raw["phone"].str.replace(r"[^0-9]", "", regex=True).str[-9:]
    frame = pd.DataFrame(
        {
            "source_system": raw["source_system"],
            "source_record_id": raw["source_record_id"],
            "given_name": clean["first_name"].fillna(words.str[0]),
            "family_name": clean["last_name"].fillna(words.str[1]),
            "birth_date": raw["birth_date"],
            "gender": raw["gender"],
            "email": raw["email"].str.lower(),
            "phone": phone,
            "street": address.str[0].map(_letters),
            "house_number": address.str[-1].str.strip().where(address.str.len() > 1),
            "city": clean["city"],
            "postal_code": raw["postal_code"],
            "loyalty_id": raw["loyalty_id"],
        }
    )
    owners = pd.read_parquet(truth / "person_records.parquet")
    persons = pd.read_parquet(truth / "persons.parquet")[["person_id", "household_id", "is_test"]]
    owners = owners[owners["kind"] == "record"][[*KEY, "person_id"]]
    joined = frame.merge(owners, on=KEY).merge(persons, on="person_id")
    return joined[~joined["is_test"]].drop(columns="is_test").reset_index(drop=True)
