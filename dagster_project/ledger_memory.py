"""What changed in the ledger since the last run: late, corrected and withdrawn events, by day.

Add here when another kind of change must be told apart. The ledger itself is SQL
(marts.fct_revenue_ledger); what a run does with the changes is in assets/quality.py.
"""

from __future__ import annotations

import datetime as dt

import pandas as pd

from dagster_project.result_tables import LEDGER_CHANGES, LEDGER_EVENTS
from dagster_project.warehouse import Warehouse

COMPARISON = """
    with compared as (
        select
            before.event_date as date_before, now.event_date as date_after,
            before.revenue_amount as amount_before, now.revenue_amount as amount_after,
            case
                when before.event_id is null and now.event_date > ? then 'new'
                when before.event_id is null then 'late'
                when now.event_id is null then 'withdrawn'
                when before.event_date <> now.event_date
                    or before.revenue_amount <> now.revenue_amount then 'corrected'
            end as kind
        from models.ledger_events as before
        full outer join marts.fct_revenue_ledger as now
            on before.event_type = now.event_type and before.event_id = now.event_id
    ),
    by_day as (
        select
            kind, date_before as event_date,
            case when date_after <> date_before then 0 else 1 end as rows_count,
            amount_before,
            case when date_after = date_before then amount_after else 0 end as amount_after
        from compared where kind is not null and date_before is not null
        union all
        select kind, date_after, 1, 0, amount_after
        from compared
        where kind is not null and date_after is not null
            and (date_before is null or date_before <> date_after)
    )
    select kind, event_date, cast(sum(rows_count) as bigint) as rows_count,
        cast(sum(amount_before) as decimal(18, 2)) as amount_before,
        cast(sum(amount_after) as decimal(18, 2)) as amount_after
    from by_day group by kind, event_date order by kind, event_date
"""


def remember_ledger(
    warehouse: Warehouse, landing: str, ledger: str, run_id: str, today: dt.date
) -> pd.DataFrame | None:
    """Compare the ledger with the one remembered, write the changes, remember the new one.

    Parameters
    ----------
    landing, ledger
        Fingerprints of what is landed and of the build of the ledger.
    today
        No event after this day moves the data end: one order dated 2150 would make every order
        after it late.

    Returns
    -------
    DataFrame or None
        The rows written to models.ledger_changes; None when nothing was remembered before.
    """
    before = warehouse.connection.execute(
        "select count(*), max(event_date) filter (where event_date <= ?), "
        f"max(landing_fingerprint), max(ledger_fingerprint) from {LEDGER_EVENTS.full_name}",
        [today],
    ).fetchall()[0]
    count, data_end, landing_before, ledger_before = before
    if ledger_before == ledger:
        # A run that was killed after this had been written, or one that was forced.
        return changes_of(warehouse, ledger)
    changes = warehouse.frame(COMPARISON, [data_end or dt.date.min]) if count else None
    number = warehouse.scalar(
        f"select coalesce(max(comparison_number), 0) + 1 from {LEDGER_CHANGES.full_name}"
    )
    connection = warehouse.connection
    connection.execute("begin transaction")
    try:
        if changes is not None:
            changes = changes.assign(
                comparison_number=number,
                landing_fingerprint=landing,
                ledger_fingerprint=ledger,
                run_id=run_id,
                cause="landing" if landing != landing_before else "settings",
            )[LEDGER_CHANGES.column_names]
            connection.register("ledger_changes_to_write", changes)
            connection.execute(
                f"insert into {LEDGER_CHANGES.full_name} select * from ledger_changes_to_write"
            )
            connection.unregister("ledger_changes_to_write")
        connection.execute(f"delete from {LEDGER_EVENTS.full_name}")
        connection.execute(
            f"insert into {LEDGER_EVENTS.full_name} "
            "select event_type, event_id, event_date, revenue_amount, ?, ? "
            "from marts.fct_revenue_ledger order by event_type, event_id",
            [landing, ledger],
        )
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return changes


def changes_of(warehouse: Warehouse, ledger: str) -> pd.DataFrame:
    """The changes that one build of the ledger brought."""
    return warehouse.frame(
        f"select * from {LEDGER_CHANGES.full_name} where ledger_fingerprint = ? "
        "order by kind, event_date",
        [ledger],
    )


def counts_by_kind(changes: pd.DataFrame | None) -> dict[str, object]:
    """Events and amounts of each kind, as metadata of the asset."""
    if changes is None:
        return {"changes": "the first ledger, nothing to compare with"}
    told: dict[str, object] = {}
    for kind in ("new", "late", "corrected", "withdrawn"):
        part = changes[changes["kind"] == kind]
        told[f"{kind}_events"] = int(part["rows_count"].sum())
        told[f"{kind}_amount"] = float(part["amount_after"].sum() - part["amount_before"].sum())
    return told
