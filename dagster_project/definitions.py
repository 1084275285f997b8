"""The Dagster code location: assembly only.

Add a line here when a module defines something new for Dagster to load. Nothing is decided here.
"""

import dagster as dg

from dagster_project.assets.contract_value import contract_ltv
from dagster_project.assets.dbt import DBT_ASSETS
from dagster_project.assets.declared_segments import customer_segments
from dagster_project.assets.identity import customers_map, phone_numbers
from dagster_project.assets.lifetime_value import LIFETIME_VALUE_ASSETS
from dagster_project.assets.lifetime_value_totals import ltv_totals
from dagster_project.assets.migrations import segment_migrations
from dagster_project.assets.potential import potential
from dagster_project.assets.publish import promotion, published_copy
from dagster_project.assets.quality import QUALITY_ASSETS
from dagster_project.assets.raw import raw_tables
from dagster_project.assets.segments import SEGMENT_ASSETS
from dagster_project.config import load_config
from dagster_project.dbt_project import dbt_resource
from dagster_project.jobs import JOBS
from dagster_project.progress import progress_logger
from dagster_project.resources import ClientelaResource
from dagster_project.schedules import SCHEDULES

defs = dg.Definitions(
    assets=[
        raw_tables,
        *DBT_ASSETS,
        phone_numbers,
        customers_map,
        *QUALITY_ASSETS,
        *LIFETIME_VALUE_ASSETS,
        contract_ltv,
        *SEGMENT_ASSETS,
        customer_segments,
        ltv_totals,
        segment_migrations,
        potential,
        promotion,
        published_copy,
    ],
    jobs=JOBS,
    schedules=SCHEDULES,
    loggers={"progress": progress_logger},
    resources={"clientela": ClientelaResource(), "dbt": dbt_resource(load_config())},
)
