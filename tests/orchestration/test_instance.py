"""Runs that were killed give back what they held.

Add here what must hold before a run starts.
"""

import os
import subprocess
import sys

import dagster as dg
import pytest

from dagster_project.instance import HOST_TAG, PROCESS_TAG, close_dead_runs, process_tags


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def started_run(instance, tags):
    @dg.job
    def nothing():
        pass

    return instance.create_run_for_job(nothing, tags=tags, status=dg.DagsterRunStatus.STARTED)


def test_the_run_of_a_dead_process_is_closed_and_frees_its_slot(instance):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    tags = process_tags() | {PROCESS_TAG: f"{dead.pid}:12345"}
    run = started_run(instance, tags)
    storage = instance.event_log_storage
    storage.set_concurrency_slots("warehouse", 1)
    assert storage.claim_concurrency_slot("warehouse", run.run_id, "step").is_claimed
    assert close_dead_runs(instance) == [run.run_id]
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
    assert storage.claim_concurrency_slot("warehouse", "another", "step").is_claimed


def test_a_living_run_and_another_machine_are_left_alone(instance):
    living = started_run(instance, process_tags())
    elsewhere = started_run(instance, {PROCESS_TAG: "1:1", HOST_TAG: "another-machine"})
    untagged = started_run(instance, {})
    assert close_dead_runs(instance) == []
    for run in (living, elsewhere, untagged):
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTED


def test_a_pid_used_again_is_not_taken_for_the_old_process(instance):
    run = started_run(instance, process_tags() | {PROCESS_TAG: f"{os.getpid()}:1"})
    assert close_dead_runs(instance) == [run.run_id]
