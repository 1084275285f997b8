"""The jobs that the command line, the UI and the schedules start.

Add a job when people must be able to start a new selection of assets by name. When a job runs is
decided in schedules.py.
"""

from __future__ import annotations

import dagster as dg

from dagster_project.assets.dbt import dbt_customer_rows, dbt_features
from dagster_project.assets.quality import LANDING_QUALITY_ASSETS
from dagster_project.erasure.job import forget_job
from dagster_project.partitions import AS_OF_DATES

IN_PROCESS = dg.in_process_executor

BY_DATE = dg.AssetSelection.assets(dbt_features, dbt_customer_rows)
SERVING = dg.AssetSelection.groups("serving") - BY_DATE
SLICES = (dg.AssetSelection.groups("predictions", "models") | BY_DATE) - dg.AssetSelection.assets(
    *LANDING_QUALITY_ASSETS
)
UNPARTITIONED = dg.AssetSelection.all() - SLICES - SERVING

PREPARE = dg.define_asset_job(
    "prepare",
    selection=UNPARTITIONED,
    description="Raw tables to persons, orders and the ledger: what does not depend on a date.",
    executor_def=IN_PROCESS,
)
SLICE = dg.define_asset_job(
    "slice",
    selection=SLICES,
    partitions_def=AS_OF_DATES,
    description="Features, models and predictions of one as_of_date.",
    executor_def=IN_PROCESS,
)
PUBLISH = dg.define_asset_job(
    "publish",
    selection=SERVING,
    description="The views for BI and the published copy.",
    executor_def=IN_PROCESS,
)
DAILY = dg.define_asset_job(
    "daily",
    selection=dg.AssetSelection.all(),
    partitions_def=AS_OF_DATES,
    description="The whole line for one as_of_date, from raw tables to the published copy.",
    executor_def=IN_PROCESS,
)
JOBS = [PREPARE, SLICE, PUBLISH, DAILY, forget_job]
