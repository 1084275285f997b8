"""A step is skipped only when what it would make is what the tables hold.

Add here a way in which a build can end half way.
"""

import datetime as dt
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import pytest

from dagster_project.assets.quality import source_freshness
from dagster_project.assets.raw import raw_tables
from dagster_project.lineage import begin, record, step_for
from dagster_project.result_tables import CUSTOMER_LTV, PROMOTED_DATES
from dagster_project.warehouse import open_warehouse

DAY = dt.date(2024, 6, 30)


@pytest.fixture
def warehouse(tmp_path):
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        yield warehouse


def context(**tags):
    return SimpleNamespace(run=SimpleNamespace(tags=tags))


def step(warehouse, settings, as_of=DAY):
    return step_for(warehouse, CUSTOMER_LTV.full_name, as_of, [], settings, "code")


def test_a_recorded_step_is_skipped_and_a_changed_one_is_not(warehouse):
    assert begin(context(), warehouse, step(warehouse, "A"))
    record(warehouse, step(warehouse, "A"), "run", [CUSTOMER_LTV])
    assert not begin(context(), warehouse, step(warehouse, "A"))
    assert begin(context(), warehouse, step(warehouse, "B"))


def test_a_build_that_failed_never_passes_for_the_one_before_it(warehouse):
    record(warehouse, step(warehouse, "A"), "run", [CUSTOMER_LTV])
    assert begin(context(), warehouse, step(warehouse, "B")), "B is built, and fails: no record"
    assert begin(context(), warehouse, step(warehouse, "A")), "the tables may hold half of B"


def test_a_date_under_work_is_no_longer_promoted(warehouse):
    promoted = pd.DataFrame(
        {"as_of_date": [DAY], "is_promoted": True, "reason": "all gates passed"}
    )
    warehouse.replace_slice(PROMOTED_DATES, promoted, {})
    begin(context(), warehouse, step(warehouse, "A", dt.date(2024, 7, 31)))
    assert warehouse.scalar("select count(*) from models.promoted_dates") == 1
    begin(context(), warehouse, step(warehouse, "A"))
    assert warehouse.scalar("select count(*) from models.promoted_dates") == 0


def test_measuring_freshness_leaves_a_date_promoted(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIENTELA_WAREHOUSE", str(tmp_path / "w.duckdb"))
    from dagster_project.resources import ClientelaResource

    promoted = pd.DataFrame(
        {"as_of_date": [DAY], "is_promoted": True, "reason": "all gates passed"}
    )
    with open_warehouse(tmp_path / "w.duckdb") as opened:
        opened.replace_slice(PROMOTED_DATES, promoted, {})
        opened.connection.execute(
            "create table staging.event_days (source_table varchar, shape varchar, event_date date)"
        )
        opened.connection.execute(
            "insert into models.table_lineage (table_name, input_fingerprint) values "
            "('dbt_staging', 'f')"
        )
    resources = {"clientela": ClientelaResource()}
    assert dg.materialize([source_freshness], partition_key=str(DAY), resources=resources).success
    with open_warehouse(tmp_path / "w.duckdb") as opened:
        assert opened.scalar("select count(*) from models.promoted_dates") == 1


def test_a_refused_source_leaves_the_landing_before_it_current(tmp_path, monkeypatch):
    """Another shop was refused, and the next run landed its own once more with the same content."""
    from dagster_project.resources import ClientelaResource

    (tmp_path / "customer_records.csv").write_text("source_system,source_record_id\ns,1\n")
    orders, rows = tmp_path / "orders.csv", "s,o,1,2024-01-01,10\n"
    head = "source_system,order_id,source_record_id,ordered_at,gross_amount\n"
    monkeypatch.setenv("CLIENTELA_WAREHOUSE", str(tmp_path / "w.duckdb"))
    monkeypatch.setenv("CLIENTELA_DATASET", str(tmp_path))
    monkeypatch.setenv("CLIENTELA_HOME", str(tmp_path / "home"))

    def landed(content):
        orders.write_text(content)
        result = dg.materialize(
            [raw_tables], resources={"clientela": ClientelaResource()}, raise_on_error=False
        )
        with open_warehouse(tmp_path / "w.duckdb") as opened:
            runs = opened.scalar("select count(*) from models.pipeline_runs where step = 'raw'")
            return result.success, runs, opened.scalar("select count(*) from raw.orders")

    assert landed(head + rows) == (True, 1, 1)
    assert landed(head.replace("ordered_at", "ordered") + rows) == (False, 1, 1)
    assert landed(head + rows) == (True, 1, 1), "the tables hold what the source holds"
    assert landed(head + rows + rows) == (True, 2, 2)


def test_force_builds_what_is_unchanged(warehouse):
    record(warehouse, step(warehouse, "A"), "run", [CUSTOMER_LTV])
    assert begin(context(**{"clientela/force": "true"}), warehouse, step(warehouse, "A"))


def test_a_missing_input_is_named_with_the_job_that_makes_it(warehouse):
    with pytest.raises(dg.Failure, match="never built") as refused:
        step_for(warehouse, "x", DAY, [("dbt_features", DAY)], None, "")
    assert "dbt_features for 2024-06-30" in str(refused.value.description)
    assert "job `slice`" in str(refused.value.description)
