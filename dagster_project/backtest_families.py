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
from dagster_project.backtest_outcomes import KnownLedger
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
# Pareto/NBD takes twenty times the time of the others: 5 s of processor time for 1,500 rows, 51 s
# for 10,000. Beyond this it is compared with nothing, because nobody could afford its fits.
COSTLY, MOST_GROUPS = ("pareto_nbd",), 3000


def compare_families(
    warehouse: Warehouse,
    plan: dict[int, dict[dt.date, str]],
    origins: dict[dt.date, Origin],
    models: dict[dt.date, LifetimeValue],
    found: dict[tuple[int, dt.date], tuple[pd.DataFrame, pd.DataFrame]],
    families: Sequence[str],
    ledger: KnownLedger,
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
            if family in COSTLY and _groups_count(warehouse, model, ledger.day) > MOST_GROUPS:
                # Its fit today is what nobody could afford, small as the shop was then.
                continue
            other = _of_family(warehouse, family, model, day)
            if other is None:
                continue
            for horizon in [h for h, roles in plan.items() if roles.get(day) in ("S", "O")]:
                mine = found[horizon, day][0]
                outcomes = origin.outcomes(warehouse, horizon, ledger)
                light = bt.with_other_settings(other, [horizon])
                evaluated = bt.evaluate(light, origin.batch, outcomes, day)
                role = plan[horizon][day]
                metrics, levels = score(evaluated, ledger.day, day, family)
                marks = {"role": role, "population_count": origin.population_count}
                rows.append(
                    (
                        metrics.assign(**marks),
                        levels.assign(**marks, level="customer", is_in_force=False),
                    )
                )
                if role == "S" and day in choosing[-MAX_SELECTION_ORIGINS:]:
                    differences.setdefault(family, []).append(relative_gain(mine, evaluated))
    if not choosing:
        return rows
    in_force = models[choosing[-1]].purchase_model
    selected = select(in_force, differences)
    compared = [in_force, *differences]
    table = pd.DataFrame(
        {"model": compared, "value": [float(family == selected) for family in compared]}
    ).assign(
        as_of_date=pd.Timestamp(ledger.day),
        origin_date=pd.Timestamp(choosing[-1]),
        horizon_days=max(h for h, roles in plan.items() if choosing[-1] in roles),
        slice="all",
        metric="family_selected",
        role="S",
        customers_count=len(origins[choosing[-1]].batch),
    )
    return [*rows, (table, pd.DataFrame())]


def relative_gain(mine: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """How much lower another family's CRPS of orders is, over the mean of mine, (customer, 1)."""
    gain = (mine["orders_crps"] - other["orders_crps"]).to_numpy()
    relative: np.ndarray = gain[:, None] / max(float(mine["orders_crps"].mean()), 1e-12)
    return relative


def select(in_force: str, gains: dict[str, list[np.ndarray]]) -> str:
    """The family that gains most, where its gain is significant; else the one in force.

    Parameters
    ----------
    in_force : str
    gains : dict of list of ndarray (customer, 1)
        Of every other family, `relative_gain` at each origin and horizon.
    """
    found = {}
    for family, parts in gains.items():
        mean, drawn = better_by(parts, random_state=len(parts))
        low = float(np.quantile(drawn[:, 0], SIGNIFICANCE / len(gains)))
        found[family] = (float(mean[0]), low)
    best = max(found, key=lambda family: found[family][0], default=in_force)
    return best if best in found and found[best][1] > 0 else in_force


def _groups_count(warehouse: Warehouse, model: LifetimeValue, day: dt.date) -> int:
    return len(warehouse.frame(purchase_groups(None, model.covariates), [day]))


def _of_family(
    warehouse: Warehouse, family: str, model: LifetimeValue, day: dt.date
) -> LifetimeValue | None:
    """Purchases of another family fitted at an origin; spend, clock and terms as in force.

    None when unhealthy, and when the family costs too much: for a shop of this size, or because
    weighting does not do and its chains would have to run, a quarter of an hour for each origin of
    The Complete Journey.
    """
    groups = warehouse.frame(purchase_groups(None, model.covariates), [day])
    if family in COSTLY and len(groups) > MOST_GROUPS:
        return None
    try:
        draws, health = fit_purchases(
            groups,
            family,
            Sampling("importance" if family in COSTLY else "auto"),
            len(model.draws_),
            model.random_state,
            model.clock_,
            day,
            model.design_,
        )
    except np.linalg.LinAlgError:  # The density has no curvature to propose from.
        return None
    if posterior.failed_gates(health):
        return None
    other = copy.copy(model)
    other.purchase_model = family
    kept = [n for n in model.draws_ if str(n).split("[")[0] not in PURCHASE_PARAMETERS]
    other.draws_ = pd.concat([draws, model.draws_[kept]], axis=1)
    return other
