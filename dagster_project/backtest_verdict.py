"""Is this fit worse than a baseline? Its own forecasts of past dates against theirs.

Add here what a fit is judged on. What follows from the verdict is backtesting.py; how the fits of
the time forecast, which is reported, is backtest_run.py.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from dagster_project.backtest_origins import Origin
from models_py.lifetime_value import LifetimeValue
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.scores import gains

Found = dict[tuple[int, dt.date], tuple[pd.DataFrame, pd.DataFrame]]


@dataclass(frozen=True)
class Judged:
    """The fit to judge, and the one that would serve in its place, if there is one."""

    version: str
    earlier: str | None = None


def as_forecast_then(
    plan: dict[int, dict[dt.date, str]], found: Found, versions: dict[dt.date, str]
) -> list[pd.DataFrame]:
    """Gains over baselines of the forecasts made on origins O, by whichever fits were in force.

    `model_version_id` where one fit made them all; each fit's own rows are those of its origins.
    """
    rows = []
    for horizon, days in _reported(plan).items():
        made_by = {versions[day] for day in days}
        rows.append(
            gain_rows(
                [found[horizon, day] for day in days], horizon, max(days), "crps_gain"
            ).assign(model_version_id=made_by.pop() if len(made_by) == 1 else None)
        )
    return rows


def verdict(
    plan: dict[int, dict[dt.date, str]],
    origins: dict[dt.date, Origin],
    found: Found,
    versions: dict[dt.date, str],
    judged: Judged,
    load: Callable[[str], LifetimeValue],
) -> list[pd.DataFrame]:
    """Gains of one fit's own forecasts of origins O, and of the fit before it where it loses.

    Returns
    -------
    list of DataFrame
        Metrics ``<quantity>_crps_verdict_gain``, ``_low`` and ``_high`` over each baseline; where a
        high is below 0, ``<quantity>_crps_earlier_gain`` over the fit in column ``model``, above 0
        when that one would forecast worse.
    """
    rows, loads = [], functools.cache(load)
    for horizon, days in _reported(plan).items():
        mine = {
            day: _forecast(judged.version, loads, origins[day], found[horizon, day][0], versions)
            for day in days
        }
        pairs = [(mine[day], found[horizon, day][1]) for day in days]
        part = gain_rows(pairs, horizon, max(days), "crps_verdict_gain")
        rows.append(part)
        lost = part[part["metric"].str.endswith("_high") & (part["value"] < 0)]
        if lost.empty or judged.earlier is None:
            continue
        earlier = {
            day: _forecast(judged.earlier, loads, origins[day], found[horizon, day][0], versions)
            for day in days
        }
        both = [
            (
                pd.concat([earlier[day] for day in days])[f"{quantity}_crps"].mean()
                - pd.concat([mine[day] for day in days])[f"{quantity}_crps"].mean()
            )
            for quantity in bt.QUANTITIES
        ]
        rows.append(
            pd.DataFrame(
                {
                    "metric": [f"{quantity}_crps_earlier_gain" for quantity in bt.QUANTITIES],
                    "value": both,
                }
            ).assign(model=judged.earlier, **_marks(horizon, max(days), pairs))
        )
    return [part.assign(model_version_id=judged.version) for part in rows]


def gain_rows(
    pairs: list[tuple[pd.DataFrame, pd.DataFrame]], horizon: int, day: dt.date, name: str
) -> pd.DataFrame:
    """`scores.gains` as rows: metrics ``<quantity>_<name>``, ``_low``, ``_high``."""
    table = gains(pairs, random_state=horizon).melt(
        ["model", "quantity"], ["gain", "low", "high"], var_name="bound"
    )
    ending = table["bound"].map({"gain": "", "low": "_low", "high": "_high"})
    return pd.DataFrame(
        {
            "model": table["model"],
            "metric": table["quantity"] + f"_{name}" + ending,
            "value": table["value"],
        }
    ).assign(**_marks(horizon, day, pairs))


def _marks(
    horizon: int, day: dt.date, pairs: list[tuple[pd.DataFrame, pd.DataFrame]]
) -> dict[str, object]:
    return {
        "origin_date": pd.Timestamp(day),
        "horizon_days": horizon,
        "slice": "all",
        "customers_count": sum(len(rows) for rows, _ in pairs),
        "role": "O",
    }


def _reported(plan: dict[int, dict[dt.date, str]]) -> dict[int, list[dt.date]]:
    days = {h: [day for day, role in roles.items() if role == "O"] for h, roles in plan.items()}
    return {horizon: found for horizon, found in days.items() if found}


def _forecast(
    version: str,
    load: Callable[[str], LifetimeValue],
    origin: Origin,
    rows: pd.DataFrame,
    versions: dict[dt.date, str],
) -> pd.DataFrame:
    """Forecasts of a fit from an origin, against the outcomes in `rows` of the fit then."""
    if versions[origin.day] == version:
        return rows
    outcomes = rows[["customer_id", "horizon_days"]].assign(
        realised_orders_count=rows["realised_orders"],
        realised_revenue_amount=rows["realised_revenue"],
    )
    model = bt.with_other_settings(load(version), [int(rows["horizon_days"].iloc[0])])
    return bt.evaluate(model, origin.batch, outcomes, origin.day)
