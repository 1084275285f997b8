"""Names of countries as sources write them, and the ISO 3166-1 codes they mean.

Add to `SAID` a name that shops write and the library does not know. Names of one country belong
here; the SQL that looks them up is `country_codes.sql`, which `python -m
dagster_project.country_names` writes and a test compares. Codes of telephones and of postal areas
stay out.
"""

from __future__ import annotations

import gettext
import unicodedata
from pathlib import Path

import pycountry

from dagster_project.sql_text import literal

MODEL = Path(__file__).resolve().parent.parent / "dbt/models/staging/country_codes.sql"
# Names in other languages: those in which European and American shops are kept.
LANGUAGES = ("ca", "da", "de", "es", "fi", "fr", "it", "nb_NO", "nl", "pl", "pt", "pt_BR", "sv")
LINE_LENGTH = 110
SAID = {
    "AE": ("uae",),
    "AL": ("shqiperia",),
    "BA": ("bosna i hercegovina",),
    "BL": ("st. barthelemy",),
    "BQ": ("caribbean netherlands",),
    "CC": ("cocos islands",),
    "CD": ("congo - kinshasa", "democratic republic of the congo", "democratic republic of congo"),
    "CG": ("congo - brazzaville",),
    "CI": ("ivory coast",),
    "CV": ("cape verde",),
    "CZ": ("ceska republika", "cesko"),
    "EE": ("eesti",),
    "FK": ("falkland islands",),
    "FO": ("føroyar",),
    "GB": ("england", "great britain", "northern ireland", "scotland", "u.k.", "uk", "wales"),
    "GR": ("el",),
    "GS": ("south georgia and south sandwich islands",),
    "HK": ("hong kong sar", "hong kong sar china"),
    "HM": ("heard and mcdonald islands",),
    "HR": ("hrvatska",),
    "HU": ("magyarorszag",),
    "IE": ("eire", "republic of ireland"),
    "KN": ("st. kitts and nevis",),
    "KR": ("korea",),
    "LC": ("st. lucia",),
    "LT": ("lietuva",),
    "LU": ("letzebuerg",),
    "LV": ("latvija",),
    "ME": ("crna gora",),
    "MF": ("saint martin", "st. martin"),
    "MK": ("macedonia",),
    "MM": ("myanmar (burma)",),
    "MO": ("macao sar", "macao sar china"),
    "PM": ("st. pierre and miquelon",),
    "PN": ("pitcairn islands",),
    "PS": ("palestine", "palestinian territories"),
    "RS": ("srbija",),
    "SH": ("saint helena", "st. helena"),
    "SI": ("slovenija",),
    "SK": ("slovenska republika", "slovensko"),
    "SX": ("sint maarten",),
    "TL": ("east timor",),
    "TR": ("turkey",),
    "UM": ("u.s. outlying islands",),
    "US": ("u.s.", "u.s.a."),
    "VA": ("vatican", "vatican city"),
    "VC": ("st. vincent and grenadines", "st. vincent and the grenadines"),
    # No country of ISO 3166, but one of the numbering plans and of most shops.
    "XK": ("kosovo", "xk", "xkx"),
    "ZA": ("rsa",),
}


def country_codes() -> dict[str, str]:
    """Every name, code of two and code of three letters, as `plain` spells it, and its code.

    Codes stand before English names, those before what is said, that before other languages. A
    name that means two countries in one rank means none.
    """
    countries = list(pycountry.countries)
    ranks = [
        [(code, c.alpha_2) for c in countries for code in (c.alpha_2, c.alpha_3)],
        [(name, c.alpha_2) for c in countries for name in _english(c)],
        [(name, code) for code, names in SAID.items() for name in names],
    ]
    others = []
    for language in LANGUAGES:
        catalogue = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language])
        others += [
            (catalogue.gettext(name), c.alpha_2)
            for c in countries
            for name in _stated(c, "name", "common_name")
        ]
    found: dict[str, str] = {}
    for rank in [*ranks, others]:
        meanings: dict[str, set[str]] = {}
        for name, code in rank:
            meanings.setdefault(plain(name), set()).add(code)
        for name, codes in meanings.items():
            if name not in found and len(codes) == 1:
                found[name] = min(codes)
    return dict(sorted(found.items()))


def plain(name: str) -> str:
    """A name as `plain_sql` and the macro country_key spell it: small letters, no accents or "the".

    A test compares the three.
    """
    apart = unicodedata.normalize("NFD", name.strip().lower())
    bare = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return bare.replace("\u2019", "'").replace(" & ", " and ").removeprefix("the ")


def plain_sql(text: str) -> str:
    """The same in the SQL of DuckDB."""
    bare = f"strip_accents(lower(trim({text})))"
    spelt = f"replace(replace({bare}, '\u2019', ''''), ' & ', ' and ')"
    return f"regexp_replace({spelt}, '^the ', '')"


def _stated(country: pycountry.db.Country, *fields: str) -> list[str]:
    return [name for field in fields if (name := getattr(country, field, None))]


def _english(country: pycountry.db.Country) -> list[str]:
    """The stated names, also those with a part behind a comma in front, or without it."""
    names = _stated(country, "name", "common_name", "official_name")
    for name in list(names):
        stem, _, part = name.partition(", ")
        names += [f"{part} {stem}"] if part else []
    return names


def model_sql() -> str:
    """The dbt model that holds the names, as this version of the library knows them."""
    rows = [f"({literal(name)}, '{code}')" for name, code in country_codes().items()]
    lines = [""]
    for row in rows:
        if len(lines[-1]) + len(row) > LINE_LENGTH:
            lines.append("")
        lines[-1] += f"{row}, "
    body = "\n".join(f"    {line.rstrip()}" for line in lines).removesuffix(",")
    return (
        "{{ config(materialized='table') }}\n\n"
        "-- Written by python -m dagster_project.country_names. The names are those of pycountry\n"
        "-- and of Debian's iso-codes, from which it has them; both are LGPL-2.1: see NOTICE.\n"
        "select country_name, country_code\n"
        f"from (values\n{body}\n) as names (country_name, country_code)\n"
    )


if __name__ == "__main__":
    MODEL.write_text(model_sql(), encoding="utf-8")
