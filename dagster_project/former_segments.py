"""What the fits of the slice before would have said of today: movement by refit made visible.

Add here another fit that stages or micro-segments depend on.
Fits themselves are in the assets, and counts of who moved in migration_counts.py.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dagster_project import backtesting
from dagster_project.assets.lifetime_value_backtests import load_model
from dagster_project.config import Config
from dagster_project.segment_fits import load
from dagster_project.segment_layers import features_at
from dagster_project.settings_segments import LifecycleSettings
from dagster_project.warehouse import Warehouse

PREVIOUS = """
    select segments.as_of_date, segments.model_version_id,
        (select min(model_version_id) from predictions.customer_ltv as value
         where value.as_of_date = segments.as_of_date)
    from predictions.customer_microsegments as segments
    join models.promoted_dates as promoted using (as_of_date)
    where is_promoted and segments.as_of_date < ?
    order by segments.as_of_date desc limit 1
"""
NOW = "select min(model_version_id) from predictions.customer_ltv where as_of_date = ?"
SETTINGS = "select settings from models.model_versions where model_version_id = ?"


@dataclass(frozen=True)
class FormerFits:
    """The fits behind the latest promoted slice before a date, where they are not those of it.

    Parameters
    ----------
    segmentation
        Version of the micro-segmentation, with its star line and lifecycle rules.
    value
        Version of the lifetime value, or None while it is the one of today.
    """

    segmentation: str
    value: str | None


def fits_before(warehouse: Warehouse, as_of_date: dt.date, version: str) -> FormerFits | None:
    """The fits of the slice before; None when today's are the same, or there is none.

    `version` is the segmentation in force at the date, whose value slice is written already.
    """
    rows = warehouse.connection.execute(PREVIOUS, [as_of_date]).fetchall()
    if not rows:
        return None
    _, segmentation, value = rows[0]
    is_same_value = value in (None, warehouse.scalar(NOW, [as_of_date]))
    if segmentation == version and is_same_value:
        return None
    return FormerFits(str(segmentation), None if is_same_value else str(value))


def with_former(
    cells: pd.DataFrame,
    warehouse: Warehouse,
    config: Config,
    as_of_date: dt.date,
    fits: FormerFits | None,
) -> pd.DataFrame:
    """Add what the fits of the slice before say of the same customers on the same day.

    Value, stage and micro-segment are all asked of the former fits, by the lifecycle rules that the
    former segmentation was told: what then differs from today's answer is the refit, and what
    differs from the slice before is what customers did, time that passed, and late or corrected
    data.

    Returns
    -------
    DataFrame
        `cells` with former_stage, former_microsegment_key (those of today without former fits),
        former_predicted_revenue_mean (NULL while the value model is the same) and
        former_model_version_id (NULL without former fits).
    """
    if fits is None:
        return cells.assign(
            former_stage=cells["stage"],
            former_microsegment_key=cells["microsegment_key"],
            former_predicted_revenue_mean=np.nan,
            former_model_version_id=None,
        )
    from models_py.segmentation import assign_stages

    then = _as_told(warehouse, config, fits.segmentation)
    model, rules = load(warehouse, fits.segmentation, then)
    frame = features_at(warehouse, then, as_of_date, model)
    frame["former_predicted_revenue_mean"] = np.nan
    if fits.value is not None:
        days = (then.lifecycle.horizon_days, config.lifecycle.horizon_days)
        value = _value_of(warehouse, then, as_of_date, fits.value, *days)
        value = value.reindex(frame["customer_id"])
        for column in value.columns:
            frame[column] = value[column].to_numpy()
    frame = frame.merge(assign_stages(frame, rules), on="customer_id")
    former = model.microsegments(model.predict(frame)).merge(
        frame[["customer_id", "former_predicted_revenue_mean"]], on="customer_id"
    )
    names = {"stage": "former_stage", "microsegment_key": "former_microsegment_key"}
    kept = ["customer_id", *names.values(), "former_predicted_revenue_mean"]
    merged = cells.merge(former.rename(columns=names)[kept], on="customer_id", validate="1:1")
    return merged.assign(former_model_version_id=fits.segmentation)


def _as_told(warehouse: Warehouse, config: Config, version: str) -> Config:
    """The configuration with the lifecycle rules that a segmentation was fitted under."""
    told = json.loads(str(warehouse.scalar(SETTINGS, [version]) or "{}"))
    told = told.get("lifecycle", told) if isinstance(told, dict) else {}
    rules = {name: told[name] for name in LifecycleSettings.model_fields if name in told}
    lifecycle = LifecycleSettings(**(config.lifecycle.model_dump() | rules))
    if lifecycle.horizon_days not in config.lifetime_value.horizons_days:
        # That horizon is predicted no more; the nearest that is must stand for it.
        nearest = min(
            config.lifetime_value.horizons_days, key=lambda h: abs(h - lifecycle.horizon_days)
        )
        lifecycle = lifecycle.model_copy(update={"horizon_days": nearest})
    return config.model_copy(update={"lifecycle": lifecycle})


def _value_of(
    warehouse: Warehouse,
    config: Config,
    as_of_date: dt.date,
    version: str,
    stage_days: int,
    value_days: int,
) -> pd.DataFrame:
    """What stages ask for by another fit at their horizon, and its revenue at the one of values."""
    model = load_model(warehouse, version, config)
    column, carried = (list(model.horizons_days).index(days) for days in (stage_days, value_days))
    pieces: list[pd.DataFrame] = []

    def score(batch: pd.DataFrame) -> dict[str, pd.DataFrame]:
        start = 0
        for futures in model.simulate(batch, as_of_date):
            stop = start + len(futures.purchase_probability)
            pieces.append(
                pd.DataFrame(
                    {
                        "purchase_probability": futures.purchase_probability[:, column],
                        "predicted_revenue_mean": futures.revenue_mean[:, column],
                        "former_predicted_revenue_mean": futures.revenue_mean[:, carried],
                    },
                    index=batch["customer_id"].iloc[start:stop],
                )
            )
            start = stop
        return {}

    warehouse.map_batches(
        backtesting.batch_sql(as_of_date, model.covariates), score, as_of_date, []
    )
    return pd.concat(pieces) if pieces else pd.DataFrame(index=pd.Index([], name="customer_id"))
