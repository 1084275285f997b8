"""The lines of the summary about the data itself: set aside, fresh, drifted, changed, bridged.

Add a line here when a reader of the terminal must hear of another fault of a delivery. Tables and
figures of persons and value stay out; they are in summary.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from dagster_project.config import Config
from dagster_project.warehouse import Warehouse

RULES = """
    select failed_rule, count(*) as rows_count from staging.quarantine
    group by failed_rule order by rows_count desc, failed_rule
"""
STALE = """
    select source_table, newest_event_date, age_days, is_fresh, data_end_date
    from models.source_freshness where as_of_date = ? order by age_days desc, source_table
"""
DRIFT = """
    select shape, column_name, measure, before_value, after_value, is_flagged, landings_compared
    from models.source_drift
    where landing_number = (select max(landing_number) from models.source_profiles)
    order by is_flagged desc, drift / drift_limit desc, shape, column_name
"""
CHANGES = """
    select kind, sum(rows_count) as rows_count, sum(amount_after - amount_before) as amount,
        count(distinct event_date) as days_count
    from models.ledger_changes
    where ledger_fingerprint = (select max(ledger_fingerprint) from models.ledger_events)
    group by kind order by kind
"""
# On one line each: what came in, and every reason for which it is not in the ledger. The rules that
# sent rows to quarantine are one reason here.
BRIDGE = """
    select step_number, reason, sum(amount) as amount
    from (
        select step_number, amount,
            case
                when step_number = 1 then event_type || 's received'
                when step_number = 2 and reason not in (
                    'duplicate', 'superseded', 'no_person', 'test_customer', 'internal_customer',
                    'status_not_counted', 'refund_of_unknown_order', 'refund_of_uncounted_order'
                ) then 'quarantined'
                else reason
            end as reason
        from marts.revenue_bridge where step_number < 4
    ) as steps
    group by step_number, reason having sum(amount) <> 0
    order by step_number, abs(sum(amount)) desc, reason
"""
SHOWN = 3


def quality_lines(warehouse: Warehouse, config: Config, as_of: dt.date) -> Iterator[str]:
    """Sentences of at most a few lines each, in the order in which data passes the checks."""
    rules = warehouse.frame(RULES)
    if len(rules):
        told = ", ".join(f"{row.failed_rule} {row.rows_count:,}" for row in rules.itertuples())
        yield f"Set aside by rule: {told}."
    yield _freshness(warehouse, config, as_of)
    yield _drift(warehouse)
    yield _changes(warehouse)
    yield _bridge(warehouse, config)


def _freshness(warehouse: Warehouse, config: Config, as_of: dt.date) -> str:
    found = warehouse.frame(STALE, [as_of])
    stale = found[~found["is_fresh"].astype(bool)]
    told = "; ".join(
        f"{row.source_table} ends {row.newest_event_date:%Y-%m-%d} ({row.age_days} days)"
        for row in stale.itertuples()
    )
    text = f"Stale on {as_of}: {told}." if told else f"No table is stale on {as_of}."
    age = (config.yesterday() - as_of).days
    if age > config.quality.max_age_days["default"]:
        text += " Age is counted from that day, not from today."
    return text


def _drift(warehouse: Warehouse) -> str:
    found = warehouse.frame(DRIFT)
    if found.empty:
        return "Drift: nothing landed earlier to compare with."
    flagged = found[found["is_flagged"].astype(bool)]
    against = f"{len(found):,} comparisons with the median of earlier landings"
    if flagged.empty:
        return f"Drift: none in {against}."
    told = "; ".join(
        f"{row.shape}{'.' * bool(row.column_name)}{row.column_name} {row.measure} "
        f"{row.before_value} -> {row.after_value}"
        for row in flagged.head(SHOWN).itertuples()
    )
    more = f"; {len(flagged) - SHOWN} more in models.source_drift" if len(flagged) > SHOWN else ""
    return f"Drift in {len(flagged)} of {against}: {told}{more}."


def _changes(warehouse: Warehouse) -> str:
    found = warehouse.frame(CHANGES)
    if found.empty:
        remembered = warehouse.scalar("select count(*) from models.ledger_events")
        compared = warehouse.scalar("select count(*) from models.ledger_changes")
        if not compared:
            return f"Ledger: {remembered:,} events, nothing earlier to compare with."
        return f"Ledger: {remembered:,} events, none changed since the run before."
    told = ", ".join(
        f"{int(row.rows_count):,} {row.kind} ({float(row.amount):+,.2f}) on {row.days_count:,} days"
        for row in found.itertuples()
    )
    return f"Ledger since the run before: {told} (models.ledger_changes)."


def _bridge(warehouse: Warehouse, config: Config) -> str:
    found = warehouse.frame(BRIDGE)
    steps = [
        f"{row.reason.replace('_', ' ')} {float(row.amount):+,.2f}" for row in found.itertuples()
    ]
    ledger = warehouse.scalar("select sum(revenue_amount) from marts.fct_revenue_ledger")
    total = f"{float(str(ledger or 0)):,.2f} {config.source.reporting_currency}"
    return f"Revenue: {', '.join(steps)} = {total} in the ledger."
