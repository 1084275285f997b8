"""When jobs start by themselves.

Add a schedule when something must happen on a clock. What a job does stays in jobs.py.
"""

import datetime as dt
import zoneinfo

import dagster as dg

from dagster_project.assets.publish import PUBLISHED_COPY, SOURCE_FINGERPRINT
from dagster_project.config import Config, load_config
from dagster_project.jobs import DAILY
from dagster_project.landing import fingerprint
from dagster_project.model_registry import REFIT_TAG

SCHEDULE = load_config().schedule
# A shop may be closed for a week; data that are older have ended.
QUIET_DAYS = 7


def _request(
    context: dg.ScheduleEvaluationContext, tags: dict[str, str]
) -> dg.RunRequest | dg.SkipReason:
    """A run for yesterday, or the reason why there is nothing to do."""
    config = load_config()
    if config.source.kind in ("complete_journey", "simulated"):
        return dg.SkipReason(
            f"Data set {config.dataset} ended in the past and does not change; "
            "start a run by hand to build another date."
        )
    zone = zoneinfo.ZoneInfo(config.source.business_time_zone)
    yesterday = context.scheduled_execution_time.astimezone(zone).date() - dt.timedelta(days=1)
    reason = _nothing_new(config, _last_published(context.instance), yesterday, bool(tags))
    return (
        dg.SkipReason(reason) if reason else dg.RunRequest(partition_key=str(yesterday), tags=tags)
    )


def _last_published(instance: dg.DagsterInstance) -> dict[str, str]:
    """What the published copy was made from, as its last materialization says."""
    event = instance.get_latest_materialization_event(PUBLISHED_COPY)
    materialization = event.asset_materialization if event else None
    found = materialization.metadata if materialization else {}
    return {name: str(value.value) for name, value in found.items()}


def _nothing_new(
    config: Config, published: dict[str, str], yesterday: dt.date, is_refit: bool
) -> str | None:
    """Why a run would change nothing, or None.

    Schemas live in the warehouse itself, which a schedule must not open while a run writes; they
    always get a run.
    """
    if config.source.kind != "folder" or published.get(SOURCE_FINGERPRINT) != fingerprint(config):
        return None
    last_order = published.get("last_order_date", "")
    if last_order and dt.date.fromisoformat(last_order) < yesterday - dt.timedelta(days=QUIET_DAYS):
        return (
            f"The last order of {config.dataset} is of {last_order}, and its files are unchanged."
        )
    is_same = published.get("config_hash") == config.content_hash()
    if not is_refit and is_same and published.get("as_of_date") == str(yesterday):
        return f"{yesterday} is published already, from the same files and settings."
    return None


@dg.schedule(
    job=DAILY,
    cron_schedule=SCHEDULE.daily_cron,
    execution_timezone=SCHEDULE.time_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Builds yesterday's slice and publishes it.",
)
def daily_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Yesterday, every day."""
    return _request(context, {})


@dg.schedule(
    job=DAILY,
    cron_schedule=SCHEDULE.refit_cron,
    execution_timezone=SCHEDULE.time_zone,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Fits the models again on yesterday's data, then builds its slice.",
)
def weekly_refit(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Yesterday with a refit, every week."""
    return _request(context, {REFIT_TAG: "always"})


SCHEDULES = [daily_refresh, weekly_refit]
