"""The dbt project on a warehouse of a few rows: its tests, its contract with Python, its refusals.

Add a test here when what dbt's data tests and unit tests say has to be compared with Python or with
a second run. Rules about single rows stay out and live beside the models as dbt unit tests.
"""

import subprocess
from pathlib import Path

import duckdb
import pytest

from dagster_project.assets.dbt import AFTER_MAP, FEATURES
from dagster_project.declared_segments.columns import row_columns
from dagster_project.result_tables import RESULT_TABLES
from dagster_project.source_contract import RAW_TABLES, SHAPES
from tests.warehouse.dbt_command import dbt

pytestmark = pytest.mark.slow

DBT_FOLDER = Path(__file__).resolve().parents[2] / "dbt"
RAW_BOOKKEEPING = """
    create table raw.landed_tables
        (table_name varchar, is_delivered boolean, rows_landed bigint);
    create table raw.rejected_lines
        (table_name varchar, line_number bigint, raw_line varchar, reason varchar);
"""
RECORDS = ("source_system", "source_record_id", "created_at")
ORDERS = ("source_system", "order_id", "source_record_id", "ordered_at", "gross_amount")
REFUNDS = ("source_system", "refund_id", "order_id", "refunded_at", "refund_amount")
ITEMS = ("source_system", "order_id", "line_number", "quantity", "unit_cost_amount", "net_amount")
CONSENTS = ("source_system", "source_record_id", "purpose", "changed_at", "is_granted")
SIDES = ("left_source_system", "left_source_record_id", "right_source_system")
OVERRIDES = (*SIDES, "right_source_record_id", "decision")
ROWS = {
    ("customer_records", RECORDS): [
        ("crm", "1", "2023-01-01"),
        ("crm", "2", "2023-01-01"),
        ("crm", "undated", None),
    ],
    ("orders", ORDERS): [
        ("crm", "a", "1", "2023-01-10", "20.00"),
        ("crm", "a", "1", "2023-01-10", "20.00"),
        ("crm", "b", "1", "2023-03-10", "30.00"),
        ("crm", "c", "1", "2023-07-10", "40.00"),
        ("crm", "d", "2", "no date", "40.00"),
    ],
    # A cost beyond every decimal: intermediate and marts are built all the same.
    ("order_items", ITEMS): [("crm", "c", "1", "999999999", "999999999999", "40.00")],
    ("refunds", REFUNDS): [("crm", "r", "b", "2023-07-01", "30.00")],
    ("contracts", ("contract_id", "source_record_id")): [("k", "1")],
    ("consents", CONSENTS): [("crm", "1", "cookies", "2023-01-01", "true")],
    ("identity_overrides", OVERRIDES): [("crm", "1", "crm", "2", "perhaps")],
}


class Project:
    """A warehouse file and the dbt command on it."""

    def __init__(self, folder: Path) -> None:
        self.warehouse = folder / "small.duckdb"

    def dbt(
        self, *arguments: str, as_of_date: str = "", run_id: str = ""
    ) -> subprocess.CompletedProcess[str]:
        settings = {"CLIENTELA_AS_OF_DATE": as_of_date, "CLIENTELA_RUN_ID": run_id}
        return dbt(self.warehouse, *arguments, **settings)

    def build(self, *selected: str, but: str = "", as_of_date: str = "") -> None:
        excluded = ["--exclude", *but.split()] if but else []
        done = self.dbt("build", "--select", *selected, *excluded, as_of_date=as_of_date)
        assert done.returncode == 0, done.stdout

    def query(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.warehouse)) as connection:
            return connection.execute(sql).fetchall()


def land(connection: duckdb.DuckDBPyConnection) -> None:
    tables = {name: shape.column_names for name, shape in RAW_TABLES.items()}
    for name, columns in tables.items():
        body = ", ".join(f"{column} varchar" for column in columns)
        connection.execute(f"create table raw.{name} ({body}, _row_number bigint)")
    for (name, columns), rows in ROWS.items():
        places = ", ".join("?" for _ in columns)
        for number, row in enumerate(rows, start=1):
            connection.execute(
                f"insert into raw.{name} ({', '.join(columns)}, _row_number) "
                f"values ({places}, {number})",
                list(row),
            )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("dbt"))
    with duckdb.connect(str(project.warehouse)) as connection:
        for schema in ("raw", "identity", "predictions", "models"):
            connection.execute(f"create schema {schema}")
        connection.execute(RAW_BOOKKEEPING)
        for table in RESULT_TABLES.values():
            connection.execute(table.ddl)
        land(connection)
    project.build("path:models/staging", "path:models/identity", but=AFTER_MAP)
    project.query(
        "insert into identity.customers_map select source_system, source_record_id, "
        "'c_' || source_record_id, 'singleton', 1.0, first_seen_at, last_seen_at "
        "from identity.source_records"
    )
    core = ("path:models/intermediate", "path:models/marts", AFTER_MAP)
    project.build(*core, but=FEATURES)
    project.build(*FEATURES.split(), as_of_date="2023-06-30")
    project.build("path:models/serving")
    return project


def test_unit_tests_pass(project):
    done = project.dbt("test", "--select", "test_type:unit")
    assert done.returncode == 0, done.stdout
    assert "unit tests" in done.stdout


@pytest.mark.parametrize("shape", SHAPES)
def test_staging_has_the_columns_of_the_source_contract(project, shape):
    described = project.query(f"describe staging.{shape}")
    provenance = ("source_table", "source_row_number")
    assert tuple(row[0] for row in described) == (*provenance, *SHAPES[shape].column_names)


def test_every_column_of_every_table_is_described(project, manifest):
    models = [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]
    actual: dict[str, set[str]] = {}
    for table, column in project.query(
        "select table_schema || '.' || table_name, column_name from information_schema.columns"
    ):
        actual.setdefault(table, set()).add(column)
    for model in models:
        assert model["description"].startswith("One row per"), model["name"]
        assert all(column["description"] for column in model["columns"].values()), model["name"]
        if model["config"]["materialized"] != "ephemeral":
            name = f"{model['schema']}.{model['name']}"
            assert actual[name] == set(model["columns"]), name


def test_sources_have_the_columns_that_python_writes(project, manifest):
    for source in manifest["sources"].values():
        name = f"{source['schema']}.{source['name']}"
        assert source["meta"]["dagster"]["asset_key"] == name.split(".")
        assert name in RESULT_TABLES or source["schema"] == "raw", name
        if name in RESULT_TABLES:
            assert list(source["columns"]) == RESULT_TABLES[name].column_names, name


def test_the_row_of_segment_rules_has_the_columns_and_types_that_python_checks_them_by(project):
    described = project.query("describe serving.customer_360_by_date")
    actual = {row[0]: row[1].lower() for row in described}
    assert actual == row_columns((30, 90, 180, 365)), "dbt/macros/customer_row.sql and columns.py"
    current = [row[0] for row in project.query("describe serving.customer_360")]
    assert set(current) == {*actual, "is_promoted"}


def test_a_past_date_has_the_stage_of_that_date_and_is_not_the_current_row(project):
    dates = ("2023-06-30", "2023-03-31")
    project.build(*FEATURES.split(), as_of_date=dates[1])
    rows = ", ".join(f"('c_1', date '{d}', 'stage_{d[5:7]}', 'rule', 'v')" for d in dates)
    project.query(f"insert into predictions.customer_lifecycle values {rows}")
    try:
        found = project.query(
            "select as_of_date, stage from serving.customer_360_by_date "
            "where customer_id = 'c_1' order by as_of_date"
        )
        assert [(str(date), stage) for date, stage in found] == [
            ("2023-03-31", "stage_03"),
            ("2023-06-30", "stage_06"),
        ]
        # No gate has passed the dates, so the row for readers tells no stage.
        latest = "select as_of_date, stage from serving.customer_360 where customer_id = 'c_1'"
        assert [(str(date), stage) for date, stage in project.query(latest)] == [
            ("2023-06-30", None)
        ]
    finally:
        project.query("delete from predictions.customer_lifecycle")
        project.query("delete from marts.fct_customer_features where as_of_date = '2023-03-31'")


def test_broken_and_repeated_rows_are_in_quarantine(project):
    found = project.query("select row_key, failed_rule from staging.quarantine order by all")
    assert found == [
        ("crm|1|crm|2", "unknown_decision"),
        ("crm|1||2023-01-01 05:00:00", "unknown_purpose"),
        ("crm|a", "duplicate"),
        ("crm|d", "bad_timestamp"),
        ("k", "missing_value"),
    ]


def test_a_refund_is_unseen_before_its_day_and_a_repeat_leaves_the_slice_as_it_was(project):
    at_june = "select * from marts.fct_customer_features where as_of_date = '2023-06-30' order by 1"
    value = "select observed_revenue_amount, purchase_days_count from marts.fct_customer_features"
    before = project.query(at_june)
    project.build(*FEATURES.split(), as_of_date="2023-07-31")
    project.build(*FEATURES.split(), as_of_date="2023-06-30")
    assert project.query(at_june) == before
    of_one = f"{value} where customer_id = 'c_1' order by as_of_date"
    assert [(float(a), n) for a, n in project.query(of_one)] == [(50.0, 2), (60.0, 2)]


def test_who_has_no_date_is_in_no_slice_and_is_counted(project):
    undated = "select customer_id from marts.dim_customers where first_seen_at is null"
    assert project.query(undated) == [("c_undated",)]
    slices = "select distinct customer_id from marts.fct_customer_features order by 1"
    assert project.query(slices) == [("c_1",), ("c_2",)]
    done = project.dbt("test", "--select", "persons_without_a_date_are_in_no_slice")
    assert done.returncode == 0 and "WARN 1 persons_without_a_date" in done.stdout


def test_features_without_a_date_are_refused_with_the_remedy(project):
    done = project.dbt("build", "--select", *FEATURES.split())
    assert done.returncode == 1
    assert "CLIENTELA_AS_OF_DATE=" in done.stdout


def test_views_name_no_database_so_that_a_copy_can_be_read(project):
    views = project.query("select sql from duckdb_views() where schema_name = 'serving'")
    assert views
    assert not [sql for (sql,) in views if "small." in sql]


def test_first_sight_of_a_refused_row_is_kept_over_runs(project):
    seen = "select row_key, first_seen_run_id, first_seen_at from staging.quarantine order by all"
    before = project.query(seen)
    assert len({run for _, run, _ in before}) == 1
    project.query(
        "insert into raw.orders "
        "(source_system, order_id, source_record_id, ordered_at, _row_number) "
        "values ('crm', 'e', '1', '2023-01-10', 6), ('crm', 'a', '1', '2023-01-10', 7)"
    )
    project.query("update raw.orders set gross_amount = '20.00' where _row_number = 7")
    # Every delivery numbers its rows anew.
    project.query("update raw.orders set _row_number = 100 - _row_number")
    done = project.dbt("run", "--select", "orders_checked", "quarantine", run_id="second")
    assert done.returncode == 0, done.stdout
    assert "partial pars" not in done.stdout, "a changed run id must not cost a full parse"
    after = project.query(seen)
    assert set(before) < set(after)
    new = {(key, run) for key, run, _ in after} - {(key, run) for key, run, _ in before}
    assert new == {("crm|a", "second"), ("crm|e", "second")}


def test_a_ledger_that_lost_an_event_breaks_the_bridge(project):
    assert project.query(
        "select reason, cast(sum(amount) as varchar) from marts.revenue_bridge "
        "group by reason order by reason"
    ) == [
        ("bad_timestamp", "-40.00"),
        ("duplicate", "-20.00"),
        ("ledger", "60.00"),
        ("received", "120.00"),
    ]
    project.query("delete from marts.fct_revenue_ledger where event_id = 'crm:c'")
    done = project.dbt("build", "--select", "revenue_bridge")
    assert done.returncode == 1
    assert "FAIL 1 the_bridge_adds_up_to_the_ledger" in done.stdout


def test_unreadable_lines_of_a_mapped_table_are_a_share_of_the_table(project):
    project.query("insert into raw.landed_tables values ('klaviyo_event', true, 9900)")
    project.query(
        "insert into raw.rejected_lines select 'klaviyo_event', i, 'x', 'has 1 field' "
        "from range(100) as lines(i)"
    )
    project.build("quarantine", "reconciliation")
    project.query("update raw.landed_tables set rows_landed = 1000")
    done = project.dbt("build", "--select", "reconciliation")
    assert "FAIL 1 quarantined_share_is_within_the_limit" in done.stdout


def test_a_lost_row_fails_the_reconciliation(project):
    project.query("delete from staging.orders_checked where order_id = 'b'")
    done = project.dbt("build", "--select", "quarantine", "reconciliation")
    assert done.returncode == 1
    assert "FAIL 1 rows_in_are_accepted_or_quarantined" in done.stdout
