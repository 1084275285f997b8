"""The Dagster instance that every entry point shares, and the clean-up after runs that were killed.

Add here what must hold before any run starts, by whatever entry. Jobs and their order are
elsewhere.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import dagster as dg

from dagster_project.config import PROJECT_ROOT, Config

PROCESS_TAG = "clientela/process"
HOST_TAG = "clientela/host"
UNFINISHED = [
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.CANCELING,
]


def set_dagster_home(config: Config) -> Path:
    """Point DAGSTER_HOME at storage/dagster and give it the project's dagster.yaml.

    A DAGSTER_HOME set by the user is kept.
    """
    if os.environ.get("DAGSTER_HOME"):
        return Path(os.environ["DAGSTER_HOME"])
    home = config.home / config.folders.storage / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def process_tags() -> dict[str, str]:
    """Tags by which a later run can tell whether this one is still alive."""
    return {PROCESS_TAG: _process_identity(os.getpid()), HOST_TAG: socket.gethostname()}


def close_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of killed command lines as failed and free the pool slots they hold.

    Without this a ``kill -9`` would leave the slot of the pool taken, and the next run waiting for
    it.

    Returns
    -------
    list of str
        Ids of the runs that were closed.
    """
    closed = []
    for run in unfinished_runs(instance):
        identity = run.tags.get(PROCESS_TAG)
        if identity is None or run.tags.get(HOST_TAG) != socket.gethostname():
            continue
        if identity == _process_identity(int(identity.split(":")[0])):
            continue
        instance.report_run_failed(run, "The process of this run was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        closed.append(run.run_id)
    return closed


def unfinished_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that are under way, or that nobody has declared dead."""
    return list(instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)))


def _process_identity(pid: int) -> str:
    """The pid with the moment the process began, since pids are used again."""
    try:
        # Field 22 of stat, counted after the command name, which may hold spaces.
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return f"{pid}:{stat[19]}"
    except OSError:
        return f"{pid}:{'alive' if _is_alive(pid) else 'gone'}"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
