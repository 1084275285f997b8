"""What a refused source is told: table, rows, the rules most of them broke, and the remedy.

Add here when another test of staging stops a run and its own words help nobody. Which share stops
a run is decided in config.yml and tested in the dbt project.
"""

from __future__ import annotations

from dagster_project.config import Config
from dagster_project.source_contract import SHAPES
from dagster_project.warehouse import Warehouse

# Below a hundred rows a share says nothing; the dbt test within_quarantine_limit says the same.
MIN_ROWS = 100
TOP_RULES = 3
BALANCE = """
    select source_table, shape, rows_in, rows_compared, rows_accepted, rows_quarantined,
        rows_repeated
    from staging.reconciliation order by source_table, shape
"""
RULES = """
    select
        failed_rule, count(*) as rows_count,
        arg_min(reason, source_row_number) as reason, min(source_row_number) as row_number
    from staging.quarantine
    where source_table = ? and shape = ? and failed_rule not in ('duplicate', 'superseded')
    group by failed_rule order by rows_count desc, failed_rule
"""


def refused_sources(warehouse: Warehouse, config: Config) -> str:
    """One line for each source table that lost rows or had too many set aside; '' when none."""
    limits = config.quality.max_quarantined_share
    lines = []
    for row in warehouse.frame(BALANCE).itertuples():
        limit = limits.get(str(row.shape), limits["default"])
        refused = int(row.rows_quarantined - row.rows_repeated)
        lost = int(row.rows_in - row.rows_accepted - row.rows_quarantined)
        if lost:
            lines.append(
                f"{row.source_table} ({row.shape}): {row.rows_in:,} rows came in, but "
                f"{row.rows_accepted:,} were accepted and {row.rows_quarantined:,} quarantined, "
                f"which leaves {lost:,} unaccounted for. Look at its mapping stg_*__{row.shape}."
            )
        elif row.rows_compared >= MIN_ROWS and refused > limit * row.rows_compared:
            rules = warehouse.frame(RULES, [row.source_table, row.shape])
            top = "; ".join(
                f"{rule.failed_rule} {rule.rows_count:,} (for example "
                f"{_column(str(row.shape), str(rule.reason))}row {rule.row_number})"
                for rule in rules.head(TOP_RULES).itertuples()
            )
            lines.append(
                f"{row.source_table} ({row.shape}): {refused:,} of {row.rows_compared:,} rows "
                f"({refused / row.rows_compared:.1%}) broke a rule, and {limit:.1%} is the "
                f"limit. {top}. "
                f"Read the rows by source_row_number in staging.quarantine; correct the source "
                f"or its mapping, or raise "
                f"quality.max_quarantined_share.{row.shape} in config.yml."
            )
    return "\n".join(lines)


def _column(shape: str, reason: str) -> str:
    """The column that a reason begins with; never the value, since run logs outlive erasure."""
    name = reason.split(" ", 1)[0]
    return f"{name}, " if name in SHAPES[shape].column_names else ""
