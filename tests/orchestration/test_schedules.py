"""Which runs the schedules ask for, and why they ask for none.

Add here what a schedule must answer. That the daemon starts its run is seen in test_ui.py.
"""

import datetime as dt

import dagster as dg

from models_py.simulate import write_retailer


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
