"""The job `forget`, for the command line and the UI.

Add here what Dagster must know of an erasure. It is one step on purpose: what passes between steps,
run config and tags are kept in the run storage, where no identifier may be. The persons therefore
wait in identity.pending_erasures, or in the source's erasure_requests.
"""

import os
from dataclasses import asdict
from pathlib import Path

import dagster as dg

from dagster_project.erasure.forget import forget
from dagster_project.instance import set_dagster_home
from dagster_project.progress import progress_logger
from dagster_project.resources import POOL, ClientelaResource


class ForgetConfig(dg.Config):
    """Whether open erasure requests of the source are carried out, beside what is pending."""

    with_requests: bool = True


@dg.op(
    name="erase",
    pool=POOL,
    out=dg.Out(dict, description="Counts of persons, rows and files; nothing that names anybody."),
)
def erase(
    context: dg.OpExecutionContext, config: ForgetConfig, clientela: ClientelaResource
) -> dg.Output:
    """Remove everybody who is to be forgotten from every file, the warehouse last."""
    settings = clientela.config
    set_dagster_home(settings)
    done = forget(
        settings,
        context.run_id,
        Path(os.environ["DAGSTER_HOME"]),
        requests=config.with_requests,
        say=context.log.info,
    )
    for table, rows in done.returning.items():
        context.log.warning(
            f"raw.{table}: {rows} rows were erased that landing will not recognise, because no "
            "column holds the key as it stands; take them out of the source"
        )
    for request, reason in done.unresolved.items():
        context.log.warning(f"request {request} is still open: {_without_names(reason)}")
    if done.persons and settings.source.kind != "complete_journey":
        context.log.info("the company's source may still hold them; landing withholds their rows")
    counts = asdict(done) | {"unresolved": len(done.unresolved)}
    return dg.Output(
        counts,
        metadata={
            "persons": done.persons,
            "rows": sum(done.rows.values()),
            "tables": len(done.rows),
            **done.files,
            "requests still open": len(done.unresolved),
        },
    )


def _without_names(reason: str) -> str:
    """The reason without customer ids, which a run log may not keep."""
    return reason.partition(" (")[0].partition(". ")[0]


@dg.job(
    name="forget",
    executor_def=dg.in_process_executor,
    logger_defs={"progress": progress_logger, "console": dg.colored_console_logger},
    description="Erases persons from every room, copy, backup, export and log; leaves aggregates.",
)
def forget_job() -> None:
    """One step, so that nothing that names a person passes through the run storage."""
    erase()
