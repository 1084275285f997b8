"""Checking a source before a run: what the owner of the data is told.

Add a defect here that check-source should have told.
What landing does with it stays out.
"""

import ast
from pathlib import Path

import pytest

from dagster_project.config import PROJECT_ROOT, load_config
from dagster_project.feature_catalogue import features, features_fed_by
from dagster_project.landing import SourceReport, check_source
from dagster_project.landing.consent_words import GRANTING, PURPOSES
from dagster_project.landing.row_rules import NUMBERS

CUSTOMERS = """source_system,source_record_id,created_at,birth_date,is_test,acquisition_cost_amount
shop,r1,2024-01-01,1980-02-30,yes,1.50
shop,r1,yesterday,1980-02-28,maybe,1e2
shop,,2024-01-01 10:00:00+02:00,,,
"""
ORDERS = """source_system,order_id,email,ordered_at,gross_amount,colour
shop,o1,a@b.example,2024-01-01,"12,5x",red
shop,o2,a@b.example,2024-01-02,-1,blue
shop,o3
"""


def checked(folder: Path, **files: str) -> SourceReport:
    for name, content in {"customer_records": CUSTOMERS, "orders": ORDERS, **files}.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return check_source(load_config(dataset=str(folder)))


def test_values_keys_and_lines_are_counted(tmp_path: Path) -> None:
    customers, orders = checked(tmp_path).tables
    unreadable = {
        value.column: (value.values_count, value.example) for value in customers.unreadable
    }
    assert unreadable == {
        "created_at": (1, "yesterday"),
        "birth_date": (1, "1980-02-30"),
        "is_test": (1, "maybe"),
    }
    assert customers.empty_required == {"source_record_id": 1}
    assert customers.duplicate_keys_count == 1
    assert (orders.rows_count, orders.rejected_lines_count) == (2, 1)
    assert [(value.column, value.example) for value in orders.unreadable] == [
        ("gross_amount", "12,5x")
    ]
    assert orders.unknown_columns == ("colour",)
    assert "status" in orders.missing_columns


def test_a_sound_source_is_fit_and_says_what_is_left_out(tmp_path: Path) -> None:
    report = checked(tmp_path, products="product_id\np1\n")
    assert report.is_fit
    assert "web_events" in report.missing_shapes
    text = report.text()
    assert len(text.splitlines()) <= 60
    assert "not delivered: empty" in text
    assert "orders: bad_number: 1, for example gross_amount '12,5x'" in text
    assert "orders: negative_amount: 1" in text
    assert "customer_records: missing_key: 1" in text
    assert "orders: unreadable_line: 1" in text
    assert "customer_records.is_test: not readable as boolean: 1, for example 'maybe'" in text
    assert "not in the contract, carried along: colour" in text
    assert text.endswith("Ready: every required table and column is there.\n")


def test_what_is_required_and_missing_is_to_be_corrected(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").touch()
    report = checked(tmp_path, orders="source_system,order_id,order_date,gross_amount\n")
    assert not report.is_fit
    assert len(report.problems) == 2
    text = report.text()
    assert "orders (orders.csv) lacks the required column ordered_at" in text
    assert "lacks all of source_record_id, email, phone, loyalty_id, device_id" in text
    assert "notes.docx" in text
    assert "Not ready: 2 to correct, see above." in text


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, source = tmp_path / "home", tmp_path / "source"
    home.mkdir()
    source.mkdir()
    monkeypatch.setenv("CLIENTELA_HOME", str(home))
    checked(source)
    assert sorted(file.name for file in tmp_path.rglob("*")) == [
        "customer_records.csv",
        "home",
        "orders.csv",
        "source",
    ]


def test_a_mapped_source_says_which_shapes_it_fills(tmp_path: Path) -> None:
    orders = "id,total_line_items_price\n1,10\n"
    (tmp_path / "shopify_order.csv").write_text(orders)
    (tmp_path / "shopify_order_tag.csv").write_text("order_id,value\n1,x\n")
    (tmp_path / "shopify_customer.csv").write_text("id\n7\n")
    report = check_source(load_config(dataset=str(tmp_path)))
    assert report.is_fit
    assert report.unused == ("shopify_order_tag.csv",)
    assert not {"orders", "customer_records", "consents"} & set(report.missing_shapes)
    assert "shopify_customer" in report.text() and "after mapping" in report.text()


CONSENTS = """source_system,source_record_id,purpose,changed_at,is_granted
shop,r1,Location,2024-01-01,granted
shop,r1,geo,2024-01-01,granted
shop,r1,Marketing-Email,2024-01-01,opt-out
shop,r1,telepathy,2024-01-01,no
shop,r1,sms,2024-01-01,perhaps
"""


def test_words_of_consents_are_read_as_staging_reads_them(tmp_path: Path) -> None:
    text = checked(tmp_path, consents=CONSENTS).text()
    assert "consents: unknown_purpose: 1" in text
    assert "consents: bad_boolean: 1, for example is_granted 'perhaps'" in text
    assert "consents: repeated_key: 1" in text
    macro = (PROJECT_ROOT / "dbt" / "macros" / "consents.sql").read_text()
    words = ast.literal_eval(macro.split("return(")[1].split("[kind]")[0])
    assert words == {
        kind: {word: list(texts) for word, texts in known.items()}
        for kind, known in (("purpose", PURPOSES), ("granting", GRANTING))
    }


RATES = """rate_date,currency_code,rate_to_reporting
2024-01-01,IRR,0.00000002
2024-01-01,BTC,2000000
"""
CONTRACTS = """contract_id,source_system,source_record_id
k1,shop,r1
k2,,r1
"""


def test_numbers_and_empty_values_are_judged_as_staging_judges_them(tmp_path: Path) -> None:
    report = checked(tmp_path, exchange_rates=RATES, contracts=CONTRACTS)
    found = {table.table_name: table.set_aside for table in report.tables}
    assert found["exchange_rates"] == {"bad_number": 1}
    assert found["contracts"] == {"missing_value": 1}
    macro = (PROJECT_ROOT / "dbt" / "macros" / "casts.sql").read_text()
    limits = macro.split("largest(logical_type) -%}")[1].split("(")[1].split("[")[0]
    assert ast.literal_eval(limits) == {kind: limit for kind, (_, limit) in NUMBERS.items()}
    for kind, (type_, _) in NUMBERS.items():
        assert f"'{kind}': '{type_}'" in macro


CURRENCIES = """source_system,order_id,email,ordered_at,gross_amount,currency_code
shop,o1,a@b.example,2024-01-05,10,
shop,o2,a@b.example,2024-01-05,10,EUR
shop,o3,a@b.example,2024-01-05,10,usd
shop,o4,a@b.example,2024-01-04,10,usd
shop,o5,a@b.example,2024-01-05T02:00:00Z,10,usd
shop,o6,a@b.example,2024-01-05T06:00:00Z,10,usd
shop,o7,a@b.example,2024-01-05,10,XXX
shop,o8,a@b.example,2024-01-05,ten,XXX
"""


def test_currencies_without_a_rate_on_their_day_are_told_before_the_run(tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    text = (PROJECT_ROOT / "config.yml").read_text()
    assert "\n  business_time_zone: UTC\n  reporting_currency: EUR\n" in text
    file.write_text(text.replace("_time_zone: UTC", "_time_zone: America/New_York"))
    folder = tmp_path / "exports"
    folder.mkdir()
    rates = "rate_date,currency_code,rate_to_reporting\n2024-01-05,USD,0.9\n2024-01-01,USD,0\n"
    files = {"customer_records": CUSTOMERS, "orders": CURRENCIES, "exchange_rates": rates}
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    found = {t.table_name: t.set_aside for t in check_source(load_config(file, str(folder))).tables}
    # o4 and o5 are of 4 January in New York, o7 has a currency nobody rates, o8 no amount.
    assert found["orders"] == {"unknown_currency": 3, "bad_number": 1}
    assert found["exchange_rates"] == {"negative_amount": 1}
    (folder / "exchange_rates.csv").unlink()
    orders = check_source(load_config(file, str(folder))).tables[1]
    assert orders.set_aside == {"unknown_currency": 5, "bad_number": 1}


def test_more_bad_rows_than_the_run_takes_are_to_be_corrected(tmp_path: Path) -> None:
    head, good = ORDERS.split("\n")[0], "shop,o{},a@b.example,2024-01-01,1,red"
    for bad, is_fit in ((5, True), (6, False)):
        lines = [good.format(n) for n in range(100 - bad)]
        lines += [good.format(f"x{n}").replace(",1,", ",one,") for n in range(bad - 1)]
        report = checked(tmp_path, orders="\n".join([head, *lines, "shop,o"]) + "\n")
        assert report.is_fit == is_fit
    said = "orders: 6 of 100 rows (6.0%) would be set aside, and 5.0% is the limit"
    assert said in report.problems[0] and "max_quarantined_share.orders" in report.problems[0]
    # Repetitions do not count, and of a few rows nothing is said.
    assert checked(tmp_path, orders="\n".join([head] + [good] * 200) + "\n").is_fit
    assert checked(tmp_path).is_fit


def test_names_of_no_country_are_left_empty_and_told(tmp_path: Path) -> None:
    customers = "source_system,source_record_id,country_code\n"
    customers += "".join(f"shop,{n},{name}\n" for n, name in enumerate(["es", "España", "Narnia"]))
    text = checked(tmp_path, customer_records=customers).text()
    assert "country_code: not readable as country: 1, for example 'Narnia'" in text


def test_layers_say_which_of_their_columns_would_be_empty(tmp_path: Path) -> None:
    text = " ".join(checked(tmp_path).text(200).split())
    assert "layer price_sensitivity: 2 of 4, not price_index, cheap_line_share" in text
    assert "layer product: 0 of 5; layer engagement" in text
    items = "source_system,order_id,line_number,product_id\n"
    text = checked(tmp_path, order_items=items, products="product_id,category_1\n").text(200)
    assert "product: 5 of 5" in text


def test_dates_that_became_midnights_are_named_with_the_remedy(tmp_path: Path) -> None:
    orders = (
        ORDERS.split("\n")[0] + "\nshop,o1,a@b.example,{},12,red\nshop,o2,a@b.example,{},12,red\n"
    )
    days = checked(tmp_path, orders=orders.format("2024-01-01 00:00:00", "2024-01-02T00:00:00Z"))
    assert days.tables[1].midnight_columns == ("ordered_at",)
    assert "orders: always midnight UTC: ordered_at" in days.text(200)
    for first, second in [
        ("2024-01-01 00:00:00", "2024-01-02 09:00:00"),
        ("2024-01-01", "2024-01-02"),
        ("2024-01-01T00:00:00+02:00", ""),
        ("", ""),
    ]:
        report = checked(tmp_path, orders=orders.format(first, second))
        assert report.tables[1].midnight_columns == ()


def test_what_it_gives_is_what_the_features_need(tmp_path: Path) -> None:
    names = features_fed_by("refunds", {"customer_records", "orders"})
    assert names
    text = " ".join(checked(tmp_path).text(200).split())
    assert f"refunds: net revenue; {len(names)} features ({names[0]}, {names[1]})" in text
    assert "visits: 5 with regions, consents" in text
    fed = [
        f for f in features().values() if f.needs and f.is_fed_by(["customer_records", "orders"])
    ]
    assert f"What it gives: {len(fed)} of " in text
