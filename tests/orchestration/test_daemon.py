"""The daemon starts the schedule's run by itself, in a test instance with a cron of one minute.

Add here what only the real daemon shows. Which runs a schedule asks for is tested without it.
"""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from models_py.simulate import write_retailer

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 800


@pytest.fixture
def live_shop(tmp_path, monkeypatch):
    """A shop whose data end yesterday, and a DAGSTER_HOME of its own."""
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    write_retailer(tmp_path / "shop", tmp_path / "truth", 800, 5, end_date=yesterday)
    text = (ROOT / "config.yml").read_text()
    text = text.replace('daily_cron: "0 5 * * *"', 'daily_cron: "* * * * *"')
    text = text.replace('refit_cron: "0 4 * * 1"', 'refit_cron: "0 4 29 2 *"')
    assert "* * * * *" in text and "29 2" in text
    (tmp_path / "config.yml").write_text(text)
    for name, value in {
        "CLIENTELA_HOME": tmp_path,
        "CLIENTELA_CONFIG": tmp_path / "config.yml",
        "CLIENTELA_DATASET": tmp_path / "shop",
        "CLIENTELA_PUBLISHED": tmp_path / "copy.duckdb",
    }.items():
        monkeypatch.setenv(name, str(value))
    # Set first, so that the home of this test is forgotten after it.
    monkeypatch.setenv("DAGSTER_HOME", "")
    from dagster_project.config import load_config
    from dagster_project.instance import set_dagster_home

    set_dagster_home(load_config())
    return tmp_path, yesterday


@pytest.mark.slow
def test_the_daemon_runs_the_daily_schedule(live_shop):
    home, yesterday = live_shop
    # The storage is made before the daemon starts: two processes that both make it collide.
    instance = dg.DagsterInstance.get()
    assert not instance.get_runs() and not instance.all_instigator_state()
    daemon = subprocess.Popen(
        [str(Path(sys.executable).parent / "dagster-daemon"), "run", "-w", "workspace.yaml"],
        cwd=ROOT,
        stdout=(home / "daemon.log").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        run = wait_for_run(instance)
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
    log = (home / "daemon.log").read_text()[-3000:]
    assert run is not None, log
    assert run.status == dg.DagsterRunStatus.SUCCESS, log
    assert run.tags["dagster/schedule_name"] == "daily_refresh"
    assert run.tags["dagster/partition"] == str(yesterday)
    with duckdb.connect(str(home / "copy.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select max(as_of_date), count(*) from serving.customer_360"
        ).fetchall()
    assert found[0][0] == yesterday and found[0][1] > 300


def wait_for_run(instance):
    """The first finished run of a schedule, or None."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        for run in instance.get_runs():
            if run.is_finished and "dagster/schedule_name" in run.tags:
                return run
        time.sleep(2)
    return None


def tick(monkeypatch, dataset):
    """What the daily schedule answers for a data set."""
    monkeypatch.setenv("CLIENTELA_DATASET", dataset)
    from dagster_project.schedules import daily_refresh

    with dg.DagsterInstance.local_temp() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=dt.datetime(2026, 3, 2, 5, 0, tzinfo=dt.UTC),
        )
        return daily_refresh(context)


def test_data_that_ended_in_the_past_is_skipped_with_a_reason(monkeypatch):
    answer = tick(monkeypatch, "complete_journey")
    assert isinstance(answer, dg.SkipReason)
    assert "complete_journey ended in the past" in answer.skip_message


def test_a_folder_gets_a_run_for_yesterday(monkeypatch, tmp_path):
    write_retailer(tmp_path / "shop", tmp_path / "truth", 200, 5)
    answer = tick(monkeypatch, str(tmp_path / "shop"))
    assert isinstance(answer, dg.RunRequest)
    assert answer.partition_key == "2026-03-01"
