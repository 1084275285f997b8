"""The contract of every table that Python writes: columns, types, grain and meaning.

Add a table in the module of its room before an asset writes it, and list it here: the warehouse
creates it, Dagster shows its columns, `docs/tables.md` is made from it. SQL-made tables stay out:
their columns are described in the dbt project.
"""

from dagster_project.result_tables.columns import ResultTable
from dagster_project.result_tables.erasure import (
    ERASED_REVENUE,
    ERASURE_COLUMNS,
    ERASURES,
    PENDING_ERASURES,
)
from dagster_project.result_tables.identity import (
    CHANGE_LOG,
    CUSTOMERS_MAP,
    PERSON_NAMES,
    PHONE_NUMBERS,
    RECORD_LINKS,
    SUPERSEDED,
)
from dagster_project.result_tables.lifetime_value import (
    CONTRACT_LTV,
    CUSTOMER_LTV,
    LTV_BACKTESTS,
    LTV_CALIBRATION,
    LTV_RECALIBRATION,
)
from dagster_project.result_tables.migrations import (
    SEGMENT_MIGRATION_FORECASTS,
    SEGMENT_MIGRATIONS,
)
from dagster_project.result_tables.models import (
    KPI_RECONCILIATION,
    MODEL_DRIFT,
    MODEL_PARAMETERS,
    MODEL_VERSIONS,
    PIPELINE_RUNS,
    PROMOTED_DATES,
    TABLE_LINEAGE,
)
from dagster_project.result_tables.potential import (
    CUSTOMER_POTENTIAL,
    MICROSEGMENT_POTENTIAL,
    POTENTIAL_SHARES,
)
from dagster_project.result_tables.quality import (
    LEDGER_CHANGES,
    LEDGER_EVENTS,
    SOURCE_DRIFT,
    SOURCE_FRESHNESS,
    SOURCE_PROFILES,
)
from dagster_project.result_tables.segments import (
    CUSTOMER_LAYER_CLUSTERS,
    CUSTOMER_LIFECYCLE,
    CUSTOMER_MICROSEGMENTS,
    CUSTOMER_SEGMENT_MEMBERSHIPS,
    MICROSEGMENT_LINEAGE,
    MICROSEGMENT_PROFILES,
    MICROSEGMENT_RULES,
    MICROSEGMENTS,
    SEGMENT_DEFINITIONS,
    SEGMENTATION_QUALITY,
)
from dagster_project.result_tables.totals import (
    COHORT_LTV,
    MICROSEGMENT_LTV,
    PORTFOLIO_LTV,
    STAGE_LTV,
)

__all__ = [
    "CHANGE_LOG",
    "COHORT_LTV",
    "CONTRACT_LTV",
    "CUSTOMERS_MAP",
    "CUSTOMER_LAYER_CLUSTERS",
    "CUSTOMER_LIFECYCLE",
    "CUSTOMER_LTV",
    "CUSTOMER_MICROSEGMENTS",
    "CUSTOMER_POTENTIAL",
    "CUSTOMER_SEGMENT_MEMBERSHIPS",
    "KPI_RECONCILIATION",
    "LEDGER_CHANGES",
    "LEDGER_EVENTS",
    "LTV_BACKTESTS",
    "LTV_CALIBRATION",
    "LTV_RECALIBRATION",
    "MICROSEGMENTS",
    "MICROSEGMENT_LINEAGE",
    "MICROSEGMENT_LTV",
    "MICROSEGMENT_POTENTIAL",
    "MICROSEGMENT_PROFILES",
    "MICROSEGMENT_RULES",
    "MODEL_DRIFT",
    "MODEL_PARAMETERS",
    "MODEL_VERSIONS",
    "PENDING_ERASURES",
    "PERSON_NAMES",
    "PHONE_NUMBERS",
    "PIPELINE_RUNS",
    "PORTFOLIO_LTV",
    "POTENTIAL_SHARES",
    "PROMOTED_DATES",
    "RECORD_LINKS",
    "RESULT_TABLES",
    "SEGMENTATION_QUALITY",
    "SEGMENT_DEFINITIONS",
    "SEGMENT_MIGRATIONS",
    "SEGMENT_MIGRATION_FORECASTS",
    "SOURCE_DRIFT",
    "SOURCE_FRESHNESS",
    "SOURCE_PROFILES",
    "STAGE_LTV",
    "SUPERSEDED",
    "TABLE_LINEAGE",
    "ResultTable",
]

RESULT_TABLES: dict[str, ResultTable] = {
    table.full_name: table
    for table in (
        PHONE_NUMBERS,
        CUSTOMERS_MAP,
        RECORD_LINKS,
        PERSON_NAMES,
        SUPERSEDED,
        CHANGE_LOG,
        ERASURES,
        ERASURE_COLUMNS,
        PENDING_ERASURES,
        ERASED_REVENUE,
        CUSTOMER_LTV,
        CONTRACT_LTV,
        PORTFOLIO_LTV,
        STAGE_LTV,
        MICROSEGMENT_LTV,
        COHORT_LTV,
        LTV_BACKTESTS,
        LTV_CALIBRATION,
        LTV_RECALIBRATION,
        CUSTOMER_LIFECYCLE,
        CUSTOMER_LAYER_CLUSTERS,
        CUSTOMER_MICROSEGMENTS,
        MICROSEGMENTS,
        MICROSEGMENT_PROFILES,
        MICROSEGMENT_RULES,
        MICROSEGMENT_LINEAGE,
        SEGMENT_MIGRATIONS,
        SEGMENT_MIGRATION_FORECASTS,
        SEGMENT_DEFINITIONS,
        CUSTOMER_SEGMENT_MEMBERSHIPS,
        CUSTOMER_POTENTIAL,
        MICROSEGMENT_POTENTIAL,
        POTENTIAL_SHARES,
        SEGMENTATION_QUALITY,
        MODEL_VERSIONS,
        MODEL_PARAMETERS,
        MODEL_DRIFT,
        PROMOTED_DATES,
        KPI_RECONCILIATION,
        PIPELINE_RUNS,
        TABLE_LINEAGE,
        SOURCE_FRESHNESS,
        SOURCE_PROFILES,
        SOURCE_DRIFT,
        LEDGER_EVENTS,
        LEDGER_CHANGES,
    )
}
