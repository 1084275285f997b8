"""Other purchase families on past origins, and which one a backtest selects.

Add here a rule of selection. Fitting is models_py/lifetime_value, the run backtest_run.py.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dagster_project.backtest_origins import Origin
from dagster_project.lifetime_value_statistics import purchase_groups
from dagster_project.warehouse import Warehouse
from models_py import posterior
from models_py.lifetime_value import LifetimeValue, Sampling, score
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.measures import better_by
from models_py.lifetime_value.purchase_fit import fit_purchases
from models_py.lifetime_value.scores import SIGNIFICANCE

PURCHASE_PARAMETERS = ("r", "alpha", "a", "b", "s", "beta", "rate_effect", "dropout_effect")
MAX_SELECTION_ORIGINS = 2


def compare_families(
    warehouse: Warehouse,
    plan: dict[int, dict[dt.date, str]],
    origins: dict[dt.date, Origin],
    models: dict[dt.date, LifetimeValue],
    found: dict[tuple[int, dt.date], tuple[pd.DataFrame, pd.DataFrame]],
    families: Sequence[str],
    as_of_date: dt.date,
) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Other families on the last origins S, where one is selected, and on the last O.

    The family in force stays unless another one's CRPS of orders is significantly lower over S.
    """
    choosing = sorted({d for roles in plan.values() for d, role in roles.items() if role == "S"})
    reporting = sorted({d for roles in plan.values() for d, role in roles.items() if role == "O"})
    days = {*choosing[-MAX_SELECTION_ORIGINS:], *reporting[-1:]}
    rows: list[tuple[pd.DataFrame, pd.DataFrame]] = []
    differences: dict[str, list[np.ndarray]] = {}
    for day in sorted(days):
        model, origin = models[day], origins[day]
        for family in families:
            if family == model.purchase_model:
                continue
            other = _of_family(warehouse, family, model, day)
            if other is None:
                continue
            for horizon in [h for h, roles in plan.items() if roles.get(day) in ("S", "O")]:
                mine = found[horizon, day][0]
                outcomes = origin.outcomes(warehouse, horizon)
                light = bt.with_other_settings(other, [horizon])
                evaluated = bt.evaluate(light, origin.batch, outcomes, day)
                role = plan[horizon][day]
                metrics, levels = score(evaluated, as_of_date, day, family)
                marks = {"role": role, "population_count": len(origin.everyone)}
                rows.append(
                    (
                        metrics.assign(**marks),
                        levels.assign(**marks, level="customer", is_in_force=False),
                    )
                )
                if role == "S" and day in choosing[-MAX_SELECTION_ORIGINS:]:
                    gain = (mine["orders_crps"] - evaluated["orders_crps"]).to_numpy()
                    scale = max(float(mine["orders_crps"].mean()), 1e-12)
                    differences.setdefault(family, []).append(gain[:, None] / scale)
    if not choosing:
        return rows
    in_force = models[choosing[-1]].purchase_model
    gained = {}
    for family, parts in differences.items():
        mean, drawn = better_by(parts, random_state=len(parts))
        low = float(np.quantile(drawn[:, 0], SIGNIFICANCE / max(len(differences), 1)))
        gained[family] = (low, float(mean[0]))
    best = max(gained, key=lambda name: gained[name][1], default=in_force)
    selected = best if best in gained and gained[best][0] > 0 else in_force
    table = pd.DataFrame(
        {"model": [in_force, *gained], "value": [float(f == selected) for f in [in_force, *gained]]}
    ).assign(
        as_of_date=pd.Timestamp(as_of_date),
        origin_date=pd.Timestamp(choosing[-1]),
        horizon_days=max(h for h, roles in plan.items() if choosing[-1] in roles),
        slice="all",
        metric="family_selected",
        role="S",
        customers_count=len(origins[choosing[-1]].batch),
    )
    return [*rows, (table, pd.DataFrame())]


def _of_family(
    warehouse: Warehouse, family: str, model: LifetimeValue, day: dt.date
) -> LifetimeValue | None:
    """Purchases of another family fitted at an origin; spend, clock and terms as in force.

    None when unhealthy.
    """
    groups = warehouse.frame(purchase_groups(None, model.covariates), [day])
    draws, health = fit_purchases(
        groups,
        family,
        Sampling(),
        len(model.draws_),
        model.random_state,
        model.clock_,
        day,
        model.design_,
    )
    if posterior.failed_gates(health):
        return None
    other = copy.copy(model)
    other.purchase_model = family
    kept = [n for n in model.draws_ if str(n).split("[")[0] not in PURCHASE_PARAMETERS]
    other.draws_ = pd.concat([draws, model.draws_[kept]], axis=1)
    return other
