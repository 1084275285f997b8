"""Taking a fitted model out of force, and telling which slices it had made.

Add here what people do to fits by hand. How a fit is stored and chosen is model_registry.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd

from dagster_project.model_registry import ROLLED_BACK, take_out
from dagster_project.result_tables import (
    CONTRACT_LTV,
    CUSTOMER_LTV,
    CUSTOMER_MICROSEGMENTS,
    MODEL_VERSIONS,
    PORTFOLIO_LTV,
    PROMOTED_DATES,
    TABLE_LINEAGE,
)
from dagster_project.warehouse import Warehouse

SLICES_OF = (CUSTOMER_LTV, CUSTOMER_MICROSEGMENTS, CONTRACT_LTV)
VERSIONS = f"""
    with used as (
        select model_version_id, count(*) as slices_count, max(as_of_date) as last_slice_date from (
            {
    " union ".join(
        f"select distinct model_version_id, as_of_date from {table.full_name}"
        for table in SLICES_OF
    )
}
        ) group by model_version_id
    )
    select model_version_id, model, data_end_date, status, inference, k_hat_max, rhat_max,
        ess_bulk_min, coalesce(slices_count, 0) as slices_count, last_slice_date, rejected_because
    from {MODEL_VERSIONS.full_name} left join used using (model_version_id)
    order by model, data_end_date, model_version_id
"""


class UnknownVersionError(ValueError):
    """No such version, or one that is not in force."""


def versions(warehouse: Warehouse) -> pd.DataFrame:
    """One row per fit: id, model, data end, status, health, and how many slices it made."""
    return warehouse.frame(VERSIONS)


def roll_back(warehouse: Warehouse, version: str, reason: str) -> list[dt.date]:
    """Take a promoted fit out of force for good; the one whose place it took is back.

    The slices it made are no longer promoted, so that the serving views fall back to the last good
    date at once; the next run of a date builds it with the fit before. Nothing is erased, and the
    published copy stays as it is until the next run publishes.

    Returns
    -------
    list of date
        The slices it had made, ascending.

    Raises
    ------
    UnknownVersionError
        When there is no such version, or it is not promoted.
    """
    rows = warehouse.connection.execute(
        f"select status from {MODEL_VERSIONS.full_name} where model_version_id = ?", [version]
    ).fetchall()
    if not rows:
        known = warehouse.frame(
            f"select model_version_id from {MODEL_VERSIONS.full_name} where status = 'promoted' "
            "order by all"
        )["model_version_id"]
        raise UnknownVersionError(
            f"{version} is no fit of this warehouse. In force: {', '.join(known) or 'none'}."
        )
    if rows[0][0] != "promoted":
        raise UnknownVersionError(
            f"{version} is {rows[0][0]}, so it is not in force and cannot be rolled back."
        )
    made = warehouse.connection.execute(_slices(), [version] * len(SLICES_OF)).fetchall()
    days = [day for (day,) in made]
    connection = warehouse.connection
    connection.execute("begin transaction")
    try:
        take_out(warehouse, version, ROLLED_BACK, f"rolled back: {reason}")
        for day in days:
            connection.execute(
                f"update {PROMOTED_DATES.full_name} set is_promoted = false, reason = ? "
                "where as_of_date = ?",
                [f"{version} was rolled back: {reason}", day],
            )
            connection.execute(
                f"delete from {TABLE_LINEAGE.full_name} "
                "where table_name = 'promotion' and as_of_date = ?",
                [day],
            )
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return days


def dates_to_rebuild(warehouse: Warehouse, made: Sequence[dt.date]) -> list[dt.date]:
    """Dates that a roll-back leaves out of date: the slices made, and those compared with them.

    Parameters
    ----------
    made : sequence of date
        What `roll_back` returned.
    """
    later = warehouse.connection.execute(
        f"select distinct as_of_date from {PORTFOLIO_LTV.full_name} "
        "where list_contains(?::date[], previous_as_of_date)",
        [list(made)],
    ).fetchall()
    return sorted({*made, *(day for (day,) in later)})


def _slices() -> str:
    parts = (
        f"select as_of_date from {table.full_name} where model_version_id = ?"
        for table in SLICES_OF
    )
    return f"select as_of_date from ({' union '.join(parts)}) order by as_of_date"
