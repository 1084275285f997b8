"""The source contract: its shapes, and that it stays whole.

Add a property here that every shape must keep.
How the shapes are read and cast stays out.
"""

from pathlib import Path

import duckdb
import pytest
from jinja2 import Environment
from phonenumbers.geodata.locale import LOCALE_DATA

from dagster_project.country_names import MODEL, country_codes, model_sql, plain, plain_sql
from dagster_project.source_contract import MAPPED_SOURCES, RAW_TABLES, SHAPES, Shape

ALL = RAW_TABLES


def test_there_are_seventeen_shapes_of_which_two_are_required() -> None:
    assert len(SHAPES) == 17
    assert {name for name, shape in SHAPES.items() if shape.is_required} == {
        "customer_records",
        "orders",
    }


def test_the_complete_journey_has_seven_tables() -> None:
    tables = MAPPED_SOURCES["complete_journey"]
    assert {name.removeprefix("complete_journey_") for name in tables} == {
        "transactions",
        "demographics",
        "products",
        "campaigns",
        "campaign_descriptions",
        "coupons",
        "coupon_redemptions",
    }


@pytest.mark.parametrize("shape", ALL.values(), ids=ALL.keys())
def test_keys_and_alternatives_are_columns_and_keys_are_required(shape: Shape) -> None:
    assert set(shape.key) <= set(shape.required_columns)
    assert set(shape.any_of) <= set(shape.column_names) - set(shape.required_columns)


@pytest.mark.parametrize("shape", ALL.values(), ids=ALL.keys())
def test_everything_is_described(shape: Shape) -> None:
    assert shape.description.startswith("One row per")
    assert all(column.description.endswith(".") for column in shape.columns)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_names_say_what_a_column_holds(shape: Shape) -> None:
    for column in shape.columns:
        if column.name.endswith("_at"):
            assert column.type == "timestamp", column
        if column.name.endswith(("_date", "_on")):
            assert column.type == "date", column
        if column.name.endswith("_amount"):
            assert column.type == "decimal", column
        if column.name.startswith("is_"):
            assert column.type == "boolean", column


def test_every_column_of_the_contract_is_in_the_guide_for_own_data() -> None:
    guide = Path("docs/bring-your-own-data.md")
    text = (Path(__file__).parents[2] / guide).read_text(encoding="utf-8")
    for shape in SHAPES.values():
        for column in shape.columns:
            assert f"`{column.name}`" in text, (
                f"{guide} does not mention {shape.name}.{column.name}"
            )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_sql_gives_every_column_the_role_of_the_contract(shape: Shape) -> None:
    macro = (Path(__file__).parents[2] / "dbt" / "macros" / "shapes.sql").read_text()
    lines = macro.split(f"'{shape.name}': '")[1].split("'")[0].split(",")
    roles = {words[0]: (*words[2:], "optional")[0] for words in map(str.split, lines)}
    assert roles == {
        column.name: "key"
        if column.name in shape.key
        else "required"
        if column.required
        else "strict"
        if column.is_strict
        else "optional"
        for column in shape.columns
    }


def test_countries_in_sql_are_those_of_the_library() -> None:
    """The list in SQL is that of a library in the lock, so that nobody keeps it by hand."""
    assert MODEL.read_text(encoding="utf-8") == model_sql(), (
        f"{MODEL.name} is not what pycountry gives: python -m dagster_project.country_names"
    )


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("United Kingdom", "GB"), ("EIRE", "IE"), ("usa", "US"), ("RSA", "ZA"), ("España", "ES"),
        ("Deutschland", "DE"), ("Österreich", "AT"), ("Korea, Republic of", "KR"), ("UK", "GB"),
        ("Republic of Korea", "KR"), ("Russia", "RU"), ("Brasil", "BR"), ("Türkiye", "TR"),
        ("Turkey", "TR"), ("NA", "NA"), ("Norge", "NO"), ("Côte d'Ivoire", "CI"),
        ("Greece", "GR"), ("EL", "GR"), ("Kosovo", "XK"), ("XK", "XK"), ("Česko", "CZ"),
        ("Bosnia & Herzegovina", "BA"), ("Trinidad & Tobago", "TT"), ("Côte d’Ivoire", "CI"),
        ("St. Kitts & Nevis", "KN"), ("St. Vincent & the Grenadines", "VC"),
        ("Hong Kong SAR", "HK"), ("Myanmar (Burma)", "MM"), ("Congo - Kinshasa", "CD"),
        ("The Gambia", "GM"), ("The Bahamas", "BS"), ("The Netherlands", "NL"),
        ("Magyarország", "HU"),
        ("Channel Islands", None), ("European Community", None), ("XX", None),
    ],
)  # fmt: skip
def test_a_country_is_known_by_what_sources_write(written: str, code: str | None) -> None:
    assert country_codes().get(plain(written)) == code


def test_names_of_countries_are_spelt_alike_by_python_and_by_both_keys_in_sql() -> None:
    """A key that the SQL spells otherwise would never be found, whatever the source writes."""
    dbt = Environment(extensions=["jinja2.ext.do"]).from_string(
        (MODEL.parents[2] / "macros/contacts.sql").read_text(encoding="utf-8"),
        globals={
            "without_accents": lambda value: f"strip_accents({value})",
            "replace_all": lambda *parts: "regexp_replace({}, '{}', '{}', 'g')".format(*parts),
            "quoted_list": list,
        },
    )
    keys = [plain_sql("written"), str(dbt.module.country_key("written"))]
    names = [*country_codes(), " The Gambia", "Trinidad & Tobago", "Côte d’Ivoire", "ČESKO"]
    found = duckdb.execute(
        f"select {', '.join(keys)} from (select unnest(?) as written)", [names]
    ).fetchall()
    assert found == [(plain(name), plain(name)) for name in names]
    assert all(plain(name) == name for name in country_codes())


def test_every_country_is_known_by_codes_and_by_the_name_of_the_numbering_plans() -> None:
    known = country_codes()
    for code, locales in LOCALE_DATA.items():
        name = locales["en"]
        while name.startswith("*"):
            name = locales[name[1:]]
        # Gone since 2010: the library knows countries of today.
        if code != "AN":
            assert known[plain(name)] == known[code.lower()] == code, name
