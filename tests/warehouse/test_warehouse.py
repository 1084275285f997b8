"""The Warehouse verbs on real DuckDB files: slices change as a whole, also under kill -9.

Add here what an engine must guarantee. What assets do with the verbs is tested in orchestration.
"""

import datetime as dt
import os
import signal
import subprocess
import sys
import time

import duckdb
import pandas as pd
import pytest

from dagster_project.publishing import link_default, publish
from dagster_project.result_tables import CUSTOMER_LIFECYCLE, PROMOTED_DATES
from dagster_project.warehouse import WarehouseBusyError, open_warehouse

DAY = dt.date(2024, 6, 30)


def lifecycle(customers, stage="active"):
    return pd.DataFrame(
        {
            "customer_id": [f"c_{number:06d}" for number in range(customers)],
            "as_of_date": DAY,
            "stage": stage,
            "stage_rule": "test",
            "model_version_id": "v1",
        }
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a folder" / "work.duckdb"
    with open_warehouse(path) as warehouse:
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, lifecycle(50_000), {"as_of_date": DAY})
        promoted = pd.DataFrame({"as_of_date": [DAY], "is_promoted": True, "reason": "ok"})
        warehouse.replace_slice(PROMOTED_DATES, promoted, {"as_of_date": DAY})
    return path


def stages(path):
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            "select stage, count(*) from predictions.customer_lifecycle group by 1 order by 1"
        ).fetchall()


def test_a_slice_replaces_its_date_only(path):
    other = lifecycle(3, "new").assign(as_of_date=dt.date(2024, 7, 31))
    with open_warehouse(path) as warehouse:
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, other, {"as_of_date": dt.date(2024, 7, 31)})
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, lifecycle(7), {"as_of_date": DAY})
    assert stages(path) == [("active", 7), ("new", 3)]


def test_map_batches_streams_in_order_and_rolls_back_on_error(path):
    sql = "select customer_id from predictions.customer_lifecycle order by customer_id"
    sizes = []

    def rename(batch):
        sizes.append(len(batch))
        if len(sizes) == 2:
            raise RuntimeError("a model that fails half way")
        rows = batch.assign(as_of_date=DAY, stage="new", stage_rule="r", model_version_id="v2")
        return {CUSTOMER_LIFECYCLE.full_name: rows}

    with open_warehouse(path) as warehouse, pytest.raises(RuntimeError, match="half way"):
        warehouse.map_batches(sql, rename, DAY, [CUSTOMER_LIFECYCLE])
    assert len(sizes) == 2 and max(sizes) <= 20_480
    assert stages(path) == [("active", 50_000)]


def test_a_frame_without_a_contract_column_is_refused_by_name(path):
    with (
        open_warehouse(path) as warehouse,
        pytest.raises(ValueError, match=r"customer_lifecycle.*lacks columns \['stage_rule'\]"),
    ):
        rows = lifecycle(1).drop(columns="stage_rule")
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, rows, {"as_of_date": DAY})


def test_slices_of_several_tables_change_together_or_not_at_all(path):
    broken = pd.DataFrame({"as_of_date": [DAY], "is_promoted": False})
    frames = [(CUSTOMER_LIFECYCLE, lifecycle(9, "new")), (PROMOTED_DATES, broken)]
    with open_warehouse(path) as warehouse:
        with pytest.raises(ValueError, match="lacks columns"):
            warehouse.replace_slices(frames, {"as_of_date": DAY})
        assert warehouse.scalar("select count(*) from predictions.customer_lifecycle") == 50_000
        frames[1] = (PROMOTED_DATES, broken.assign(reason="worse"))
        assert warehouse.replace_slices(frames, {"as_of_date": DAY}) == 10
        assert warehouse.scalar("select reason from models.promoted_dates") == "worse"
    assert stages(path) == [("new", 9)]


def test_content_hash_sees_content_and_not_order(path):
    with open_warehouse(path) as warehouse:
        first = warehouse.measure(CUSTOMER_LIFECYCLE.full_name, DAY)
        backwards = lifecycle(50_000).iloc[::-1]
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, backwards, {"as_of_date": DAY})
        assert warehouse.measure(CUSTOMER_LIFECYCLE.full_name, DAY) == first
        changed = lifecycle(50_000)
        changed.loc[5, "stage"] = "star"
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, changed, {"as_of_date": DAY})
        assert warehouse.measure(CUSTOMER_LIFECYCLE.full_name, DAY) != first


def in_another_process(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
    )


HOLD = """
import sys, time, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
time.sleep(60)
"""


def test_a_held_file_is_named_with_the_remedy(path):
    holder = in_another_process(HOLD, path)
    try:
        assert holder.stdout.readline().strip() == "open"
        with (
            pytest.raises(WarehouseBusyError, match="read the published copy"),
            open_warehouse(path, wait_seconds=0.5),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()


WRITE_FOR_EVER = """
import sys, time, datetime as dt
from dagster_project.result_tables import CUSTOMER_LIFECYCLE
from dagster_project.warehouse import open_warehouse
day = dt.date(2024, 6, 30)
batches = 0
def rename(batch):
    global batches
    batches += 1
    if batches == 2:
        print("one batch written", flush=True)
        time.sleep(60)
    rows = batch.assign(as_of_date=day, stage="new", stage_rule="r", model_version_id="v2")
    return {CUSTOMER_LIFECYCLE.full_name: rows}
with open_warehouse(sys.argv[1]) as warehouse:
    sql = "select customer_id from predictions.customer_lifecycle order by customer_id"
    warehouse.map_batches(sql, rename, day, [CUSTOMER_LIFECYCLE])
"""


def test_kill_in_the_middle_of_a_slice_leaves_the_old_slice(path):
    writer = in_another_process(WRITE_FOR_EVER, path)
    assert writer.stdout.readline().strip() == "one batch written"
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    with open_warehouse(path) as warehouse:
        assert warehouse.scalar("select count(*) from predictions.customer_lifecycle") == 50_000
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, lifecycle(9, "new"), {"as_of_date": DAY})
    assert stages(path) == [("new", 9)]


PUBLISH = """
import sys
from pathlib import Path
from dagster_project.publishing import publish
publish(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_kill_in_the_middle_of_a_publish_leaves_the_old_copy(path, tmp_path):
    published = tmp_path / "published" / "shop.duckdb"
    publish(path, published)
    assert stages(published) == [("active", 50_000)]
    with open_warehouse(path) as warehouse:
        rows = pd.concat([lifecycle(400_000, "new")])
        warehouse.replace_slice(CUSTOMER_LIFECYCLE, rows, {"as_of_date": DAY})
    before = published.read_bytes()
    publisher = in_another_process(PUBLISH, path, published)
    unfinished = published.with_name(published.name + ".next")
    while not unfinished.exists() and publisher.poll() is None:
        time.sleep(0.001)
    os.kill(publisher.pid, signal.SIGKILL)
    publisher.wait()
    assert published.read_bytes() == before
    assert stages(published) == [("active", 50_000)]
    publish(path, published)
    assert stages(published) == [("new", 400_000)]
    assert not unfinished.exists()


READ_FOR_EVER = """
import sys, time, duckdb
reads = 0
deadline = time.time() + float(sys.argv[2])
while time.time() < deadline:
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        rows = connection.execute(
            "select count(*), count(distinct stage) from predictions.customer_lifecycle").fetchone()
    assert rows == (50_000, 1), rows
    reads += 1
print(reads)
"""


def test_readers_are_never_locked_out_and_never_see_half_a_copy(path, tmp_path):
    published = tmp_path / "published" / "shop.duckdb"
    publish(path, published)
    link = link_default(published)
    readers = [in_another_process(READ_FOR_EVER, link, 4) for _ in range(2)]
    for round_number in range(6):
        stage = "new" if round_number % 2 else "active"
        with open_warehouse(path) as warehouse:
            rows = lifecycle(50_000, stage)
            warehouse.replace_slice(CUSTOMER_LIFECYCLE, rows, {"as_of_date": DAY})
        publish(path, published)
        link_default(published)
    for reader in readers:
        output, _ = reader.communicate()
        assert reader.returncode == 0 and int(output) > 3


def test_an_unpromoted_slice_and_withheld_tables_are_not_published(path, tmp_path):
    with open_warehouse(path) as warehouse:
        refused = pd.DataFrame({"as_of_date": [DAY], "is_promoted": False, "reason": "no"})
        warehouse.replace_slice(PROMOTED_DATES, refused, {"as_of_date": DAY})
        warehouse.connection.execute("create table staging.customer_records(email varchar)")
    published = tmp_path / "copy.duckdb"
    publish(path, published)
    assert stages(published) == []
    with duckdb.connect(str(published), read_only=True) as connection:
        tables = {
            f"{schema}.{name}"
            for schema, name in connection.execute(
                "select schema_name, table_name from duckdb_tables()"
            ).fetchall()
        }
    assert "models.model_parameters" not in tables
    assert not [name for name in tables if name.startswith(("raw.", "staging."))]


def test_a_warehouse_of_an_older_release_gains_the_new_columns(tmp_path):
    path = tmp_path / "old.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema predictions")
        connection.execute("create table predictions.customer_lifecycle (customer_id varchar)")
        connection.execute("insert into predictions.customer_lifecycle values ('c_1')")
    with open_warehouse(path) as warehouse:
        found = warehouse.frame("select * from predictions.customer_lifecycle")
    assert list(found["customer_id"]) == ["c_1"]
    assert set(found.columns) == set(CUSTOMER_LIFECYCLE.column_names)
    assert found["stage"].isna().all()
