"""When a backtest takes a fit out of force, and for which other one.

Add here a rule about rejection. The evidence is backtest_verdict.py; what else changes the status
of a fit is model_registry.py and model_rollback.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from dagster_project.model_registry import take_out
from dagster_project.warehouse import Warehouse

WORSE = "significantly worse than by the baseline"
OF_THE_FIT, OF_FITS_THEN = "_crps_verdict_gain", "_crps_gain"
UNPROVEN = """
    with rows as (
        select * from predictions.ltv_backtests where as_of_date = $day
    ),
    lost as (
        select distinct horizon_days, replace(metric, '_crps_verdict_gain_high', '') as quantity
        from rows where ends_with(metric, '_crps_verdict_gain_high') and value < 0
    ),
    earlier as (
        select horizon_days, replace(metric, '_crps_earlier_gain', '') as quantity, value
        from rows where ends_with(metric, '_crps_earlier_gain') and model = $earlier
    )
    select count(*) from lost left join earlier using (horizon_days, quantity)
    where coalesce(earlier.value, 1) > 0
"""


def worse_than(warehouse: Warehouse, as_of_date: dt.date, whose: str = OF_THE_FIT) -> list[str]:
    """What the backtest of a date says against forecasts, in words; empty when nothing does.

    A baseline whose CRPS on origins O is significantly lower, in orders or in revenue: than that of
    the fit judged, or, `OF_FITS_THEN`, of the fits that were in force.
    """
    rows = warehouse.connection.execute(
        "select horizon_days, model, replace(metric, ?, ''), value from predictions.ltv_backtests "
        "where as_of_date = ? and ends_with(metric, ?) and value < 0 order by all",
        [f"{whose}_high", as_of_date, f"{whose}_high"],
    ).fetchall()
    return [
        f"{quantity} over {horizon} days forecast {WORSE} {baseline} "
        f"(CRPS, upper bound of the gain {value:.4g})"
        for horizon, baseline, quantity, value in rows
    ]


def judged_version(warehouse: Warehouse, as_of_date: dt.date) -> str | None:
    """The fit of this very date that a backtest is to judge, or has judged before; None without.

    A fit that the backtest of this date rejected is found again while the fit that took its place
    serves, so that a second run of the date leaves the evidence where it is.
    """
    serving = warehouse.scalar(
        "select model_version_id from models.model_versions where model = 'lifetime_value' "
        "and data_end_date = ? and status = 'promoted' order by model_version_id limit 1",
        [as_of_date],
    )
    rejected = warehouse.scalar(
        "select model_version_id from models.model_versions where model = 'lifetime_value' "
        "and data_end_date = ? and status = 'rejected' and contains(rejected_because, ?) "
        "and superseded_by is not distinct from ? and model_version_id in (select model_version_id "
        "from predictions.ltv_backtests where as_of_date = ? and ends_with(metric, ?))",
        [as_of_date, WORSE, serving, as_of_date, OF_THE_FIT],
    )
    found = serving if rejected is None else rejected
    return None if found is None else str(found)


def reject(
    warehouse: Warehouse,
    as_of_date: dt.date,
    version: str,
    earlier: str | None,
    reasons: Sequence[str],
) -> bool:
    """Take a fit out of force for what a backtest found, if the one before it does no worse.

    Without that condition each new fit could be rejected for the sake of a fit that only grows
    older, whatever the two forecast.

    Parameters
    ----------
    as_of_date : date
        Of the backtest.
    version, earlier : str
        The fit judged, and the one that would serve.
    reasons : sequence of str
        From `worse_than`.

    Returns
    -------
    bool
        False when there is no earlier one, or it does worse in anything that the reasons name:
        then this one stays, for lack of a better.
    """
    if earlier is None:
        return False
    unproven = warehouse.connection.execute(
        UNPROVEN, {"day": as_of_date, "earlier": earlier}
    ).fetchall()
    if unproven[0][0]:
        return False
    connection = warehouse.connection
    connection.execute("begin transaction")
    try:
        take_out(warehouse, version, "rejected", "; ".join(reasons))
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return True
