"""When customers buy and when they stop: the models by name, MBG/NBD and BG/NBD, grouped rows.

Add here likelihoods of customers who leave at a purchase, and what all purchase models share.
Pareto/NBD is in `pareto_nbd`, amounts in `spend`, the future of single customers in `predictive`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models_py.frames import PURCHASE_GROUPS, require_columns, require_complete, to_float
from models_py.lifetime_value import pareto_nbd
from models_py.lifetime_value.grouped_model import GroupedModel
from models_py.lifetime_value.sampler import Sampling, sample

PARAMETERS = ("r", "alpha", "a", "b")
MODELS = ("mbg_nbd", "bg_nbd", "pareto_nbd")
DAYS_PER_WEEK = 7.0
_GROUPS_AT_A_TIME = 8192


def statistics(groups: pd.DataFrame, model: str = "mbg_nbd") -> dict[str, np.ndarray]:
    """Turn purchase groups into the arrays of the likelihood.

    Parameters
    ----------
    groups : DataFrame
        Columns of `PURCHASE_GROUPS`, days; each row stands for `customers_count` customers.
    model : {"mbg_nbd", "bg_nbd", "pareto_nbd"}

    Returns
    -------
    dict
        ``x``, ``t_x``, ``T`` (weeks, exactly days/7), ``customers`` (group,); ``step`` = 0, 1, ...
        with ``beyond_x``, the number of customers with more than `step` purchases (step,). Unless
        Pareto/NBD, ``chances``: how often the customer could have dropped out, x + 1 (MBG/NBD) or
        x (BG/NBD) (group,), and ``beyond_chances`` (step,); distinct times ``t_x_values`` and
        ``T_values`` with the place of each group's in ``t_x_place`` and ``T_place``. Rows are
        sorted, so that the order in the warehouse cannot move a digit.

    Raises
    ------
    ValueError
        For missing columns or NULL, for no customer, or for times that contradict each other.
    """
    _require_known(model)
    table = "purchase groups"
    require_columns(groups, PURCHASE_GROUPS, table)
    require_complete(groups, PURCHASE_GROUPS, table, "Group customers with a purchase only.")
    ordered = groups.sort_values(list(PURCHASE_GROUPS), kind="stable")
    x, t_x, tenure, customers = (to_float(ordered[name], table) for name in PURCHASE_GROUPS)
    if not customers.sum() >= 1:
        raise ValueError("purchase groups hold no customer. Fit on a date after the first orders.")
    infinite = ~np.isfinite(x + t_x + tenure + customers)
    if infinite.any():
        raise ValueError(
            f"purchase groups: {int(infinite.sum())} rows have an infinite count or time. "
            "Recompute the features of that as_of_date."
        )
    # Without the last rule a repeat purchase at the moment of the first one sends r to 0.
    wrong = (x < 0) | (t_x < 0) | (t_x > tenure) | (customers < 0) | ((x == 0) != (t_x == 0))
    if wrong.any():
        raise ValueError(
            f"purchase groups: {int(wrong.sum())} rows have a negative count or time, "
            "active_span_days above tenure_days, or a span without repeat purchases or repeat "
            "purchases without a span. Recompute the features of that as_of_date."
        )
    chances = x + 1.0 if model == "mbg_nbd" else x
    step = np.arange(max(float(chances.max()), 1.0))
    data = {
        "x": x,
        "t_x": t_x / DAYS_PER_WEEK,
        "T": tenure / DAYS_PER_WEEK,
        "customers": customers,
        "step": step,
        "beyond_x": _count_beyond(x, customers, len(step)),
    }
    if model == "pareto_nbd":
        return data
    for name in ("t_x", "T"):
        data[f"{name}_values"], data[f"{name}_place"] = np.unique(data[name], return_inverse=True)
    return data | {
        "chances": chances,
        "last_chance_place": np.maximum(chances - 1.0, 0.0).astype("int64"),
        "beyond_chances": _count_beyond(chances, customers, len(step)),
    }


def _require_known(name: str) -> None:
    if name not in MODELS:
        raise ValueError(f"purchase model {name!r} is unknown; use one of {', '.join(MODELS)}.")


def _count_beyond(values: np.ndarray, customers: np.ndarray, length: int) -> np.ndarray:
    exactly = np.bincount(values.astype(int), weights=customers, minlength=length + 1)
    return np.cumsum(exactly[::-1])[::-1][1 : length + 1]


def log_likelihood(
    data: Mapping[str, Any],
    r: Any,
    alpha: Any,
    a: Any,
    b: Any,
    xp: Any = np,
    by_step: tuple[Any, Any] | None = None,
) -> Any:
    """Log-likelihood of all customers; the same lines run in NumPy and in PyTensor (`xp`).

    Where alpha, a and b differ by row (`pooling`), `by_step` holds a and b along ``step``.

    With lambda ~ Gamma(r, rate alpha), p ~ Beta(a, b) and n chances to drop out,

        L(lambda, p) = (1-p)^n lambda^x e^(-lambda T) + [n > 0] p (1-p)^(n-1) lambda^x
        e^(-lambda t_x),

    n = x + 1 for MBG/NBD (Batislam et al. 2007, eq. 4; Hoppe & Wagner 2007) and n = x for BG/NBD
    (Fader, Hardie & Lee 2005, eq. 3). Integrated, the ratio of the second term to the first is
    a / (b + n - 1) ((alpha + T) / (alpha + t_x))^(r + x), and the gamma functions of r + x, b + n
    and a + b + n are products over whole steps: customers enter them through `beyond_x` and
    `beyond_chances` only.
    """
    step = data["step"]
    # Logarithms cost more than all else here, so each is taken once per distinct value.
    log_end, log_last = xp.log(alpha + data["T_values"]), xp.log(alpha + data["t_x_values"])
    a_step, b_step = by_step or (a, b)
    stayed, had_chance = xp.log(b_step + step), xp.log(a_step + b_step + step)  # (step,)

    def of_groups(rows: slice) -> Any:
        x, at_end = data["x"][rows], log_end[data["T_place"][rows]]
        gone = xp.log(a) - stayed[data["last_chance_place"][rows]]
        gone = gone + (r + x) * (at_end - log_last[data["t_x_place"][rows]])
        softplus = xp.maximum(gone, 0.0) + xp.log1p(xp.exp(-abs(gone)))
        per_group = r * xp.log(alpha) - (r + x) * at_end + (data["chances"][rows] > 0) * softplus
        return xp.sum(data["customers"][rows] * per_group)

    products = data["beyond_x"] * xp.log(r + step) + data["beyond_chances"] * (stayed - had_chance)
    if xp is not np or np.ndim(alpha) > 0:
        return of_groups(slice(None)) + xp.sum(products)
    # In pieces that stay in the cache: whole columns of 60,000 groups took 2.5 times as long.
    starts = range(0, len(data["x"]), _GROUPS_AT_A_TIME)
    return sum(of_groups(slice(i, i + _GROUPS_AT_A_TIME)) for i in starts) + np.sum(products)


def _natural(numbers: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> dict[str, Any]:
    total = xp.exp(numbers["log_concentration"])
    dropout = 1.0 / (1.0 + xp.exp(-numbers["logit_dropout"]))
    stays = 1.0 / (1.0 + xp.exp(numbers["logit_dropout"]))
    r = xp.exp(numbers["log_r"])
    alpha = xp.exp(numbers["log_r"] - numbers["log_rate"])
    return {"r": r, "alpha": alpha, "a": dropout * total, "b": stays * total}


# Proper and wide in every direction, so that shops that sell daily and yearly both fit. ln r: 95 %
# from 0.14 (rates very unequal) to 7. ln(r/alpha): the mean purchase rate is, with 95 %, between 6
# a week and one in 8 years. a/(a+b) is uniform. ln(a+b): 95 % from 0.2 to 75, since shops without
# visible dropout leave it unidentified.
PRIORS = {
    "log_r": ("normal", 0.0, 1.0),
    "log_rate": ("normal", float(np.log(1 / 8)), 2.0),
    "logit_dropout": ("logistic", 0.0, 1.0),
    "log_concentration": ("normal", float(np.log(4.0)), 1.5),
}


def model(name: str) -> GroupedModel:
    """The model of that name, one of `MODELS`, with its priors."""
    _require_known(name)
    if name == "pareto_nbd":
        return pareto_nbd.MODEL
    return GroupedModel(
        name,
        PRIORS,
        PARAMETERS,
        _natural,
        lambda data, at, xp: log_likelihood(data, at["r"], at["alpha"], at["a"], at["b"], xp),
    )


def fit(
    groups: pd.DataFrame,
    name: str,
    settings: Sampling,
    draws_kept: int,
    random_state: int,
    pool_by: str | None = None,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw the parameters of the model `name` given purchase groups.

    Parameters
    ----------
    groups : DataFrame
        Columns of `PURCHASE_GROUPS`, and `pool_by` where it is given.
    name : str
        One of `MODELS`.
    settings : Sampling
    draws_kept : int
    random_state : int
    pool_by : str, optional
        A column known before segmentation (acquisition cohort or channel): every value of it gets
        parameters of its own, drawn towards the population's; see `pooling`.

    Returns
    -------
    (DataFrame, dict)
        r, alpha (weeks), and a, b or, for Pareto/NBD, s, beta (weeks), one row per draw; and the
        diagnostics of `sampler.sample`. Pooled fits add ``alpha[<group>]`` and so on.
    """
    if pool_by is not None:
        from models_py.lifetime_value import pooling

        return pooling.fit(groups, name, pool_by, settings, draws_kept, random_state)
    data = statistics(groups, name)
    return sample(model(name), data, settings, draws_kept, random_state)
