"""One backtest: past origins forecast, scored, corrected, and judged against baselines.

Add here what a backtest reads or writes. Which origins there are and what follows from the result
is backtesting.py; every number is computed in models_py/lifetime_value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from dagster_project import backtesting
from dagster_project.backtest_families import compare_families
from dagster_project.backtest_origins import Origin, features_of, totals_of, track, trees_for
from dagster_project.backtest_outcomes import KnownLedger
from dagster_project.backtest_verdict import Judged, as_forecast_then, verdict
from dagster_project.result_tables import (
    LTV_BACKTESTS,
    LTV_CALIBRATION,
    LTV_RECALIBRATION,
    ResultTable,
)
from dagster_project.warehouse import Warehouse
from models_py.lifetime_value import LifetimeValue, Recalibration, score
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.baselines import (
    DAYS_PER_WEEK,
    GradientBoosting,
    NegativeBinomial,
    naive_forecasts,
)
from models_py.lifetime_value.measures import tracking_mape
from models_py.lifetime_value.scores import baseline_rows


@dataclass(frozen=True)
class Backtest:
    """What a backtest writes: rows of ltv_backtests, ltv_calibration and ltv_recalibration, and
    evaluated customers of origins O by horizon with weekly tracking, for the pictures.
    """

    scores: pd.DataFrame
    calibration: pd.DataFrame
    recalibration: pd.DataFrame
    evaluated: dict[int, pd.DataFrame]
    tracking: pd.DataFrame


def run(
    warehouse: Warehouse,
    as_of_date: dt.date,
    versions: dict[dt.date, str],
    load: Callable[[str], LifetimeValue],
    horizons_days: Sequence[int],
    families: Sequence[str] = (),
    judged: Judged | None = None,
) -> Backtest:
    """Forecast from every origin of the plan and score what came of it.

    Parameters
    ----------
    warehouse : Warehouse
    as_of_date : date
    versions : dict of date to str
        Origins with features, and the model version in force there.
    load : callable
        A version's fitted model.
    horizons_days : sequence of int
    families : sequence of str
        Families to compare with the one in force, on at most two origins S and the last O.
    judged : Judged, optional
        The fit whose own forecasts of origins O are held against the baselines.
    """
    plan = backtesting.plan(list(versions), as_of_date, horizons_days)
    days = sorted({day for roles in plan.values() for day in roles})
    found: dict[tuple[int, dt.date], tuple[pd.DataFrame, pd.DataFrame]] = {}
    origins, models, extra, weekly = {}, {}, [], pd.DataFrame()
    ledger = KnownLedger.read(warehouse, as_of_date)
    for day in days:
        horizons = [horizon for horizon in horizons_days if day in plan[horizon]]
        origin, model = Origin.read(warehouse, day), load(versions[day])
        models[day] = model
        outcomes = pd.concat([origin.outcomes(warehouse, h, ledger) for h in horizons])
        evaluated = bt.evaluate(
            bt.with_other_settings(model, horizons), origin.batch, outcomes, day
        )
        for horizon in horizons:
            rows = evaluated[evaluated["horizon_days"] == horizon].reset_index(drop=True)
            is_last = plan[horizon][day] == "O" and day == max(plan[horizon])
            trained = (
                trees_for(warehouse, origin, list(versions), horizon, model.random_state)
                if is_last
                else None
            )
            found[horizon, day] = rows, _baselines(warehouse, origin, rows, horizon, trained)
        extra.append(totals_of(warehouse, model, origin, evaluated, ledger))
        origins[day] = origin = origin.without_everyone()
        reported = [horizon for horizon in horizons if plan[horizon][day] == "O"]
        if reported and max(reported) >= 2 * DAYS_PER_WEEK:
            weekly = track(warehouse, model, origin, max(reported), ledger)
            extra.append(_tracking_rows(weekly, model, origin, reported, as_of_date))

    learned = {
        horizon: Recalibration.learn(_of_role(found, horizon, roles, "R"))
        for horizon, roles in plan.items()
        if "R" in roles.values()
    }
    scores, calibration = [*extra], []
    for (horizon, day), (rows, baselines) in found.items():
        role = plan[horizon][day]
        correction = learned.get(horizon) if role == "O" else None
        origin, name = origins[day], models[day].purchase_model
        metrics, levels = score(rows, as_of_date, day, name, baselines, origin.stages, correction)
        marks = {"role": role, "population_count": origin.population_count}
        scores.append(metrics.assign(**marks))
        calibration.append(levels.assign(**marks, level="customer", is_in_force=True))
    compared = as_forecast_then(plan, found, versions)
    if judged is not None:
        compared += verdict(plan, origins, found, versions, judged, load)
    published = _published(plan, found, learned, calibration)
    by_version = pd.Series(versions)
    by_version.index = pd.to_datetime(by_version.index)
    for part in [*scores, *calibration]:
        part["model_version_id"] = part["origin_date"].map(by_version)
    # Fits of other families are made for the comparison only and are no versions.
    others = compare_families(warehouse, plan, origins, models, found, families, ledger)
    compared += [metrics for metrics, _ in others]
    calibration += [levels for _, levels in others if len(levels)]
    tables = [
        _joined(parts, table, as_of_date)
        for parts, table in (
            (scores + compared, LTV_BACKTESTS),
            (calibration, LTV_CALIBRATION),
            ([published], LTV_RECALIBRATION),
        )
    ]
    latest = {horizon: found[horizon, max(roles)][0] for horizon, roles in plan.items() if roles}
    return Backtest(tables[0], tables[1], tables[2], latest, weekly)


def _joined(parts: list[pd.DataFrame], table: ResultTable, as_of_date: dt.date) -> pd.DataFrame:
    names = table.column_names
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=names)
    joined = pd.concat(filled, ignore_index=True).assign(as_of_date=pd.Timestamp(as_of_date))
    return joined.reindex(columns=names)


def _baselines(
    warehouse: Warehouse,
    origin: Origin,
    rows: pd.DataFrame,
    horizon: int,
    trees: GradientBoosting | None,
) -> pd.DataFrame:
    recent = origin.recent(warehouse, horizon).rename(
        columns={
            "realised_orders_count": "recent_orders_count",
            "realised_revenue_amount": "recent_revenue_amount",
        }
    )
    batch = origin.batch
    forecasts = naive_forecasts(batch, horizon, recent)
    if trees is not None:
        forecasts["gradient_boosting"] = trees.predict(features_of(warehouse, origin))
    x = batch["repeat_purchase_days_count"].to_numpy(dtype="float64")
    weeks = batch["tenure_days"].to_numpy(dtype="float64") / DAYS_PER_WEEK
    crps = NegativeBinomial.fit(x, weeks).crps(
        x, weeks, horizon / DAYS_PER_WEEK, rows["realised_orders"].to_numpy()
    )
    return baseline_rows(forecasts, rows, {"nbd": crps})


def _tracking_rows(
    weekly: pd.DataFrame,
    model: LifetimeValue,
    origin: Origin,
    horizons: Sequence[int],
    as_of_date: dt.date,
) -> pd.DataFrame:
    rows = []
    for horizon in horizons:
        part = weekly[weekly["week"] * DAYS_PER_WEEK <= horizon]
        value = tracking_mape(part["forecast"].to_numpy(), part["actual"].to_numpy())
        rows.append({"horizon_days": horizon, "value": value})
    table = pd.DataFrame(rows).dropna()
    return table.assign(
        as_of_date=pd.Timestamp(as_of_date),
        origin_date=pd.Timestamp(origin.day),
        slice="all",
        model=model.purchase_model,
        metric="orders_tracking_mape",
        customers_count=len(origin.batch),
        population_count=origin.population_count,
        role="O",
    )


def _of_role(
    found: dict[tuple[int, dt.date], tuple[pd.DataFrame, pd.DataFrame]],
    horizon: int,
    roles: dict[dt.date, str],
    wanted: str,
) -> pd.DataFrame:
    return pd.concat([found[horizon, day][0] for day, role in roles.items() if role == wanted])


def _published(
    plan: dict[int, dict[dt.date, str]],
    found: dict[tuple[int, dt.date], tuple[pd.DataFrame, pd.DataFrame]],
    learned: dict[int, Recalibration],
    calibration: list[pd.DataFrame],
) -> pd.DataFrame:
    """The corrections to publish with, whose status depends on origins O.

    Within tolerance on O they are published as learned on R, or raw where there was no R; outside
    it, the wider of R and O, neither of which is narrower than raw. A horizon that was never tested
    borrows the longest one that was.
    """
    publish: dict[int, Recalibration] = {}
    status: dict[int, str] = {}
    for horizon, roles in plan.items():
        levels = [part[part["horizon_days"] == horizon] for part in calibration]
        found_status = backtesting.status_of(
            [
                (row.origin_date, row.slice, row.recalibrated_pit_coverage, row.customers_count)
                if pd.notna(row.recalibrated_pit_coverage)
                else (row.origin_date, row.slice, row.pit_coverage, row.customers_count)
                for part in levels
                for row in part.itertuples()
                if row.quantity == "revenue"
                and row.nominal_level == backtesting.NOMINAL
                and row.role == "O"
                and row.slice in backtesting.STATUS_SLICES
            ]
        )
        if found_status == "extrapolated":
            continue
        status[horizon] = found_status
        if found_status == "calibrated":
            if horizon in learned:
                publish[horizon] = learned[horizon]
            continue
        wide = Recalibration.learn(_of_role(found, horizon, roles, "O"))
        publish[horizon] = wide.envelope(learned[horizon]) if horizon in learned else wide
    for horizon in plan:
        longest = max((known for known in status if known < horizon), default=None)
        if horizon not in status and longest in publish:
            publish[horizon] = publish[longest].at(horizon, longest)
    frame = Recalibration.joined(list(publish.values())).to_frame()
    return frame.assign(interval_status=frame["horizon_days"].map(status).fillna("extrapolated"))
