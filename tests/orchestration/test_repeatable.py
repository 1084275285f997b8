"""The same files give the same tables, also after a kill; later events change no earlier date.

Add here what must not depend on when, where or in what order a run was made.
"""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest

from tests.orchestration.contents import RESULTS, ordered_hash, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def killed(shop, tmp_path_factory):
    """The same files, a new home with a copy of before, and a run killed in the middle."""
    home = tmp_path_factory.mktemp("rebuilt")
    shutil.copy(shop.home / "config.yml", home / "config.yml")
    again = replace(shop, home=home)
    shutil.copy(shop.pristine / "copy.duckdb", again.published)
    shop.lend_parsed_project(again)
    runner = subprocess.Popen(
        [sys.executable, "-m", "dagster_project.cli", "run", "--back", "1"],
        env=again.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    for line in runner.stderr:
        if "customers_map" in line:
            break
    time.sleep(2.5)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    return again


def test_a_killed_run_leaves_the_copy_to_its_readers(shop, killed):
    assert killed.published.read_bytes() == (shop.pristine / "copy.duckdb").read_bytes()
    assert rows(killed.published, "select count(*) from serving.customer_360")[0][0] > 500


@pytest.fixture(scope="module")
def rebuilt(killed):
    """The killed run, started again."""
    done = killed.clientela("run", "--back", "1")
    assert done.returncode == 0, done.stderr[-3000:]
    return killed


@pytest.mark.parametrize("table", RESULTS)
def test_a_warehouse_built_again_holds_the_same_bytes(shop, rebuilt, table):
    assert ordered_hash(rebuilt.warehouse, table) == ordered_hash(shop.warehouse, table)


CUT = """
import sys
from dagster_project.config import load_config
from dagster_project.instance import set_dagster_home
config = load_config()
set_dagster_home(config)
import dagster as dg
from dagster_project.definitions import defs
instance = dg.DagsterInstance.get()
assert defs.resolve_job_def("prepare").execute_in_process(instance=instance).success
import duckdb
def take(table):
    with duckdb.connect(str(config.warehouse_path)) as connection:
        connection.execute(f"attach '{sys.argv[1]}' as whole (read_only)")
        connection.execute(f"delete from identity.{table}")
        connection.execute(f"insert into identity.{table} select * from whole.identity.{table}")
forced = {"clientela/force": "true"}
from dagster_project.assets.dbt import FEATURES, dbt_core
# Who somebody is, is current knowledge, and so is whose a device was: a later login tells it.
take("customers_map")
assert defs.resolve_job_def("prepare").execute_in_process(
    instance=instance, asset_selection=list(dbt_core.keys), tags=forced
).success
take("device_periods")
from dagster_project.dbt_project import dbt_resource, dbt_variables, set_environment
set_environment(config)
rooms = ["--select", "path:models/intermediate path:models/marts", "--exclude", FEATURES]
dbt_resource(config).cli(["run", *rooms, *dbt_variables(config)]).wait()
assert defs.resolve_job_def("slice").execute_in_process(
    instance=instance, partition_key=sys.argv[2], tags=forced
).success
"""


def test_later_events_change_nothing_at_an_earlier_date(shop, tmp_path):
    """A source cut at a date, with the same persons, gives the rows that the whole source gives."""
    day = str(rows(shop.warehouse, "select min(as_of_date) from predictions.customer_ltv")[0][0])
    events = {
        "orders": "ordered_at",
        "refunds": "refunded_at",
        "web_events": "occurred_at",
        "message_events": "occurred_at",
        "visits": "visited_at",
        "action_exposures": "assigned_at",
        "consents": "changed_at",
    }
    cut = replace(shop, home=tmp_path, source=tmp_path / "cut")
    shutil.copytree(shop.source, cut.source)
    shutil.copy(shop.home / "config.yml", tmp_path / "config.yml")
    shop.lend_parsed_project(cut)
    removed = 0
    for shape, column in events.items():
        frame = pd.read_parquet(cut.source / f"{shape}.parquet")
        moments = pd.to_datetime(frame[column], errors="coerce", utc=True)
        is_later = moments.dt.tz_convert("Europe/Madrid").dt.strftime("%Y-%m-%d") > day
        removed += int(is_later.sum())
        frame[~is_later].to_parquet(cut.source / f"{shape}.parquet", index=False)
    assert removed > 500
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CUT, str(shop.warehouse), day],
        env=cut.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    for table in ("marts.fct_customer_features", "predictions.customer_ltv"):
        # The version id carries the hash of the source, which is another one.
        columns = "* exclude (model_version_id)" if "ltv" in table else "*"
        left = f"(select {columns} from {table} where as_of_date = '{day}')"
        assert ordered_hash(cut.warehouse, left) == ordered_hash(shop.warehouse, left), table
