"""When jobs start by themselves.

Add a schedule when something must happen on a clock. What a job does stays in jobs.py.
"""

import datetime as dt

import dagster as dg

from dagster_project.assets.publish import PUBLISHED_COPY, SOURCE_FINGERPRINT
from dagster_project.config import load_config
from dagster_project.jobs import DAILY
from dagster_project.landing import fingerprint
from dagster_project.model_registry import REFIT_TAG

SCHEDULE = load_config().schedule


def _request(
    context: dg.ScheduleEvaluationContext, tags: dict[str, str], *, only_when_changed: bool
) -> dg.RunRequest | dg.SkipReason:
    """A run for yesterday, or the reason why there is nothing to do."""
    config = load_config()
    if config.source.kind in ("complete_journey", "simulated"):
        return dg.SkipReason(
            f"Data set {config.dataset} ended in the past and does not change; "
            "start a run by hand to build another date."
        )
    # Schemas live in the warehouse itself, which a schedule must not open while a run writes.
    if only_when_changed and config.source.kind == "folder":
        event = context.instance.get_latest_materialization_event(PUBLISHED_COPY)
        materialization = event.asset_materialization if event else None
        published = materialization.metadata.get(SOURCE_FINGERPRINT) if materialization else None
        if published and published.value == fingerprint(config):
            return dg.SkipReason(
                f"The files of {config.dataset} are those of the last published run."
            )
    yesterday = context.scheduled_execution_time.date() - dt.timedelta(days=1)
    return dg.RunRequest(partition_key=str(yesterday), tags=tags)


@dg.schedule(
    job=DAILY,
    cron_schedule=SCHEDULE.daily_cron,
    execution_timezone=SCHEDULE.time_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Builds yesterday's slice and publishes it.",
)
def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Yesterday, every day."""
    return _request(context, {}, only_when_changed=True)


@dg.schedule(
    job=DAILY,
    cron_schedule=SCHEDULE.refit_cron,
    execution_timezone=SCHEDULE.time_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Fits the models again on yesterday's data, then builds its slice.",
)
def weekly_refit(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Yesterday with a refit, every week."""
    return _request(context, {REFIT_TAG: "always"}, only_when_changed=False)


SCHEDULES = [daily_refresh, weekly_refit]
