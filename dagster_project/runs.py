"""The main job: which Dagster jobs run, for which dates, in which order.

Add here what `clientela run` does beyond starting jobs that the UI also has. What is printed is in
progress.py and summary.py.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.config import Config
from dagster_project.instance import close_dead_runs, process_tags, unfinished_runs
from dagster_project.lineage import FORCE_TAG
from dagster_project.partitions import dates_before
from dagster_project.progress import progress_config
from dagster_project.warehouse import open_warehouse


class RunFailedError(RuntimeError):
    """A job of the main run failed; what was published before is still there."""


@dataclass
class MainRun:
    """What the main job did.

    Parameters
    ----------
    as_of_date
        The newest date built.
    dates
        All dates built, ascending.
    seconds
        Wall time.
    """

    as_of_date: dt.date
    dates: list[dt.date]
    seconds: float
    closed_runs: list[str] = field(default_factory=list)


def run_everything(
    config: Config,
    as_of_date: dt.date | None = None,
    every: str = "month",
    back: int | None = None,
    *,
    force: bool = False,
) -> MainRun:
    """Land, unify, then build every date ascending, then publish.

    Raises
    ------
    RunFailedError
        Naming the job, the date and the steps that failed.
    """
    from dagster_project.definitions import defs

    started = time.monotonic()
    instance = dg.DagsterInstance.get()
    closed = close_dead_runs(instance)
    for run in unfinished_runs(instance):
        print(
            f"  waiting for run {run.run_id[:8]} (job {run.job_name}), which may hold the "
            "warehouse; if its process is gone, terminate it in the UI",
            file=sys.stderr,
        )
    tags = process_tags() | ({FORCE_TAG: "true"} if force else {})
    start = partial(_execute, defs, instance, config.storage_path / "dbt.log", tags)
    start("prepare")
    as_of = as_of_date or default_as_of_date(config)
    back = config.slices.month_ends_back if back is None else back
    dates = [*dates_before(as_of, every, back), as_of]
    first = first_order_date(config)
    if not first <= as_of <= config.yesterday():
        raise RunFailedError(
            f"as-of date {as_of} is outside this data: the first order is of {first}, and "
            f"{config.yesterday()} is the last day that has ended. Name a date between the two."
        )
    dates = [date for date in dates if date >= first]
    for date in dates:
        start("slice", str(date))
    start("publish")
    return MainRun(as_of, dates, time.monotonic() - started, closed)


def run_job(config: Config, job: str, run_config: dict[str, object], step: str) -> dict[str, Any]:
    """Run a job that builds no table, with progress on the terminal.

    Returns
    -------
    dict
        What its step `step` gives.

    Raises
    ------
    RunFailedError
        Naming the step that failed.
    """
    from dagster_project.definitions import defs

    instance = dg.DagsterInstance.get()
    close_dead_runs(instance)
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        run_config=run_config | progress_config(f"{job:<10}"),
        tags=process_tags(),
        raise_on_error=False,
    )
    if not result.success:
        raise RunFailedError(_failure(result, job, None))
    found: dict[str, Any] = result.output_for_node(step)
    return found


def default_as_of_date(config: Config) -> dt.date:
    """The last day with orders, but never later than yesterday, which for live data it is."""
    return min(_order_date(config, "max"), config.yesterday())


def first_order_date(config: Config) -> dt.date:
    """The first day with orders: there is nothing to show before."""
    return _order_date(config, "min")


def _order_date(config: Config, end: str) -> dt.date:
    with open_warehouse(config.warehouse_path) as warehouse:
        found = warehouse.scalar(
            f"select {end}(event_date) from marts.fct_revenue_ledger where event_type = 'order'"
        )
    if not isinstance(found, dt.date):
        raise RunFailedError(
            "no order of this source counts as revenue. Look at staging.quarantine for refused "
            "rows, and at orders.counted_statuses in config.yml for the statuses that count."
        )
    return found


def _execute(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    log: Path,
    tags: dict[str, str],
    job: str,
    partition: str | None = None,
) -> None:
    # dbt's own lines go to a file: at a terminal they would bury the progress.
    with log.open("a") as file, contextlib.redirect_stdout(file):
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=partition,
            run_config=progress_config(f"{partition or job:<10}"),
            tags=tags,
            raise_on_error=False,
        )
    if not result.success:
        raise RunFailedError(_failure(result, job, partition))


def _failure(result: dg.ExecuteInProcessResult, job: str, partition: str | None) -> str:
    lines = [f"job {job}{f' for {partition}' if partition else ''} failed (run {result.run_id})"]
    lines += [
        f"  {event.step_key}: {_innermost(event.step_failure_data)}"
        for event in result.filter_events(lambda event: event.is_step_failure)
    ]
    checks: Sequence[dg.AssetCheckEvaluation] = result.get_asset_check_evaluations()
    lines += [
        f"  check {check.check_name} on {check.asset_key.to_user_string()} failed: "
        f"{ {key: value.value for key, value in check.metadata.items()} }"
        for check in checks
        if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    ]
    return "\n".join(lines)


def _innermost(failure: object) -> str:
    error = getattr(failure, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    # Our own words need no class name in front.
    own = f"{dg.Failure.__module__}.{dg.Failure.__name__}: "
    return error.message.strip().removeprefix(own) if error is not None else "failed"
