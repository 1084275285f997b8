"""The event log that keeps its connections says what Dagster's own says, and lets go when asked.

Add here what Dagster's storage promises and ours must keep.
"""

import shutil
import threading
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from dagster_project.event_log import OpenSqliteEventLog, keep_no_connections

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def instance(tmp_path, monkeypatch):
    """The instance that dagster.yaml of the project describes."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(OpenSqliteEventLog, "is_keeping", True)
    shutil.copyfile(ROOT / "dagster.yaml", tmp_path / "dagster.yaml")
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, OpenSqliteEventLog)
        yield instance


@dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two")])
def both():
    yield dg.MaterializeResult(asset_key="one", metadata={"rows": 1})
    yield dg.MaterializeResult(asset_key="two")


@dg.asset_check(asset="one")
def is_one():
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


def events(instance, run_id):
    return [log.dagster_event.event_type for log in instance.all_logs(run_id) if log.dagster_event]


def test_events_are_those_of_dagsters_own_log(instance, tmp_path):
    (tmp_path / "plain").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "plain")) as plain:
        runs = [dg.materialize([both, is_one], instance=home) for home in (instance, plain)]
        ours, theirs = (
            events(home, run.run_id) for home, run in zip((instance, plain), runs, strict=True)
        )
        assert ours == theirs and len(ours) > 10
    latest = instance.get_latest_materialization_event(dg.AssetKey("one"))
    assert latest.asset_materialization.metadata["rows"].value == 1


def test_dagsters_default_reads_the_same_files(instance, tmp_path):
    run = dg.materialize([both], instance=instance)
    default = SqliteEventLogStorage(str(tmp_path / "history" / "runs"))
    stored = [log.dagster_event.event_type for log in default.get_logs_for_run(run.run_id)]
    assert stored == events(instance, run.run_id)


def test_who_watches_a_run_hears_of_each_event_at_once(instance):
    heard = threading.Event()

    def hear(log, _cursor):
        if "second" in log.message:
            heard.set()

    @dg.job
    def nothing():
        pass

    run = instance.create_run_for_job(nothing)
    instance.report_engine_event("first", run)
    instance.watch_event_logs(run.run_id, None, hear)
    # A second one, as the run goes on: it must arrive although the file stays open.
    instance.report_engine_event("second", run)
    assert heard.wait(10)
    instance.end_watch_event_logs(run.run_id, hear)


def test_few_files_stay_open_and_none_when_bytes_are_read(instance, tmp_path):
    for _ in range(6):
        dg.materialize([both], instance=instance)
    logs = tmp_path / "history" / "runs"
    assert 2 <= len(list(logs.glob("*.db-wal"))) <= 4
    keep_no_connections()
    assert not list(logs.glob("*.db-wal"))
    run = dg.materialize([both], instance=instance)
    assert not list(logs.glob("*.db-wal"))
    assert dg.DagsterEventType.ASSET_MATERIALIZATION in events(instance, run.run_id)
