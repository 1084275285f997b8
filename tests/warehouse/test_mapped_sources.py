"""Five source systems in one folder, through landing and dbt up to the ledger, on real exports.

Add a figure here that a mapping must keep. Reading of files and rules of single shapes stay out.
"""

import json
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dagster_project.assets.dbt import AFTER_MAP, FEATURES
from dagster_project.config import load_config
from dagster_project.landing import land
from dagster_project.result_tables import RESULT_TABLES
from dagster_project.source_contract import MAPPED_SOURCES, RAW_TABLES, SHAPES
from tests.warehouse.dbt_command import dbt

DBT_FOLDER = Path(__file__).resolve().parents[2] / "dbt"
VARIABLES = {
    "business_time_zone": "Europe/London",
    "reporting_currency": "GBP",
    # A quarter of the lines of UCI Online Retail name no customer.
    "max_quarantined_share": {"default": 0.95},
}
BRIDGE = [
    (1, "all lines", 541_909, "9747747.9340"),
    (2, "duplicate", 5_268, "-21740.9800"),
    (3, "without exact duplicates", 536_641, "9726006.9540"),
    (4, "missing_customer, bad_debt", 3, "11062.0600"),
    (4, "missing_customer, fee", 59, "228861.1400"),
    (4, "missing_customer, gift_voucher", 34, "-685.8100"),
    (4, "missing_customer, goods", 134_008, "-1505841.2300"),
    (4, "missing_customer, manual", 107, "10286.1800"),
    (4, "missing_customer, postage", 764, "-194209.5200"),
    (4, "missing_customer, sample", 62, "3039.6500"),
    (4, "not_goods, fee", 28, "7768.4290"),
    (4, "not_goods, postage", 1_346, "-85252.6000"),
    (5, "rounding to cents", 0, "-0.0030"),
    (6, "ledger", 400_230, "8201035.2500"),
    (7, "ledger: orders", 391_472, "8790647.5700"),
    (7, "ledger: refunds, discount", 77, "-5696.2200"),
    (7, "ledger: refunds, goods", 8_506, "-471750.7100"),
    (7, "ledger: refunds, manual", 175, "-112165.3900"),
]


def lay_folder(test_data: Path, folder: Path) -> None:
    folder.mkdir()
    named = {"online_retail_2010_2011": "uci_online_retail_lines"}
    for file in test_data.glob("*.parquet"):
        if file.stem in named or file.stem.startswith("adventureworks"):
            shutil.copy(file, folder / f"{named.get(file.stem, file.stem)}.parquet")
    for file in test_data.glob("shopify/*.csv"):
        shutil.copy(file, folder / f"{file.stem.removesuffix('_data')}.csv")
    for file in test_data.glob("klaviyo/*.csv"):
        shutil.copy(file, folder / f"klaviyo_{file.stem}.csv")
    # Klaviyo's sample has no suppressions and no address with two profiles, the older one deleted.
    persons = folder / "klaviyo_person.csv"
    last = persons.read_text().rstrip("\n").rsplit("\n", 1)[1]
    older = last.replace("01F366M1ZERT4HM2Z9R2V9G7BY", "01OLD", 1).replace("FALSE", "TRUE", 1)
    persons.write_text(persons.read_text().rstrip("\n") + f"\n{older}\n")
    (folder / "klaviyo_global_exclusion.csv").write_text(
        "email,reason,timestamp,_fivetran_deleted,_fivetran_synced\n"
        "MrGoogle@gmail.com,unsubscribed,2021-05-01 10:00:00,FALSE,2021-05-02 10:00:00\n"
        "stranger@gmail.com,bounced,2021-05-01 10:00:00,FALSE,2021-05-02 10:00:00\n"
    )
    (folder / "exchange_rates.csv").write_text(
        "rate_date;currency_code;rate_to_reporting\n2009-01-01;USD;0,65\n"
    )


def build(warehouse: Path, *arguments: str) -> None:
    always = ("--vars", json.dumps(VARIABLES), "--exclude-resource-type", "unit_test")
    done = dbt(warehouse, "--quiet", "build", *arguments, *always)
    assert done.returncode == 0, done.stdout[-5000:]


@pytest.fixture(scope="module")
def company(test_data: Path, tmp_path_factory: pytest.TempPathFactory):
    home = tmp_path_factory.mktemp("company")
    lay_folder(test_data, home / "exports")
    warehouse = home / "company.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        land(connection, load_config(dataset=str(home / "exports")))
        for schema in ("identity", "predictions", "models"):
            connection.execute(f"create schema {schema}")
        for table in RESULT_TABLES.values():
            connection.execute(table.ddl)
    build(
        warehouse, "--select", "path:models/staging", "path:models/identity", "--exclude", AFTER_MAP
    )
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            "insert into identity.customers_map select source_system, source_record_id, "
            "'c_' || source_system || source_record_id, 'singleton', 1.0, first_seen_at, "
            "last_seen_at from identity.source_records"
        )
    core = ("path:models/intermediate", "path:models/marts", AFTER_MAP)
    build(warehouse, "--select", *core, "--exclude", *FEATURES.split())
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        yield connection


@pytest.mark.slow
def test_every_line_of_uci_online_retail_is_accounted_for_to_the_cent(company) -> None:
    found = company.execute(
        "select step, reason, lines_count, amount from marts.uci_online_retail_bridge "
        "order by step, reason"
    ).fetchall()
    assert found == [(step, reason, n, Decimal(amount)) for step, reason, n, amount in BRIDGE]
    ledger = company.execute(
        "select event_type, count(*), sum(revenue_amount) from marts.fct_revenue_ledger "
        "where customer_id like 'c_uci%' group by all order by all"
    ).fetchall()
    assert ledger == [
        ("order", 18_536, Decimal("8790647.57")),
        ("refund", 8_758, Decimal("-589612.32")),
    ]


@pytest.mark.slow
def test_countries_are_codes_and_names_without_one_are_counted(company) -> None:
    records = "from staging.customer_records where source_system = "
    codes = dict(
        company.execute(
            f"select country_code, count(*) {records} 'uci_online_retail' group by all"
        ).fetchall()
    )
    assert (codes["IE"], codes["US"], codes["ZA"], codes[None]) == (3, 4, 1, 14)
    assert sum(codes.values()) == 4_372
    assert company.execute(f"select distinct country_code {records} 'klaviyo'").fetchall() == [
        ("US",)
    ]
    assert company.execute(
        "select country_name, records_count from staging.unknown_countries order by all"
    ).fetchall() == [("channel islands", 9), ("european community", 1), ("unspecified", 4)]


@pytest.mark.slow
def test_rows_in_are_accepted_or_quarantined_in_every_source(company) -> None:
    balance = {
        (table, shape): tuple(counts)
        for table, shape, *counts in company.execute(
            "select source_table, shape, rows_in, rows_accepted, rows_quarantined "
            "from staging.reconciliation where rows_in > 0"
        ).fetchall()
    }
    assert all(found == taken + refused for found, taken, refused in balance.values())
    lines = "uci_online_retail_lines"
    assert balance[lines, "order_items"] == (532_621, 391_472, 141_149)
    assert balance[lines, "refunds"] == (9_288, 8_758, 530)
    assert balance[lines, "orders"] == (22_064, 18_536, 3_528)
    assert balance[lines, "customer_records"] == (4_372, 4_372, 0)
    assert balance["klaviyo_global_exclusion", "consents"] == (3, 2, 1)
    assert balance["adventureworks_sales", "order_items"] == (56_046, 56_046, 0)
    assert balance["adventureworks_sales", "orders"] == (25_164, 25_164, 0)
    assert {table.split("_")[0] for table, _ in balance} == {
        "uci",
        "adventureworks",
        "shopify",
        "klaviyo",
        "exchange",
    }


def test_tables_feed_the_shapes_whose_mappings_name_them() -> None:
    for source, tables in MAPPED_SOURCES.items():
        folder = DBT_FOLDER / "models" / "staging" / source
        mappings = {
            file.stem.split("__")[1]: file.read_text() for file in folder.glob("stg_*__*.sql")
        }
        for name, table in tables.items():
            fed = {shape for shape, sql in mappings.items() if f"}}, '{name}'" in sql}
            assert set(table.feeds) == fed, f"{name}: correct `feeds` in sources/{source}.yml"
        assert set(mappings) <= set(SHAPES)


def test_raw_tables_are_the_shapes_and_those_of_every_mapped_source() -> None:
    assert len(RAW_TABLES) == len(SHAPES) + sum(map(len, MAPPED_SOURCES.values()))
