"""How much customers spend on a purchase day: gamma amounts with gamma heterogeneity.

Add here likelihoods of amounts on (count, sum, sum of logs), their priors, and the rule for
the first order.
When purchases happen belongs in `purchases`; the published form on means in `spend_means`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models_py.frames import SPEND_GROUPS, require_columns, require_complete, to_float
from models_py.lifetime_value.grouped_model import GroupedModel
from models_py.lifetime_value.sampler import Sampling, sample

PARAMETERS = ("p", "q", "v", "kappa")
LARGEST_SHAPE = 1000.0

# A first order counts as exchangeable while it tells at least half and at most twice as much about
# a customer's level as an ordinary order does.
FIRST_SHAPE_RANGE = (0.5, 2.0)


def statistics(groups: pd.DataFrame, *, use_first_order: bool = True) -> dict[str, np.ndarray]:
    """Turn spend groups into the arrays of the likelihood.

    Parameters
    ----------
    groups : DataFrame
        Columns of `SPEND_GROUPS`, money in the reporting currency.
    use_first_order : bool
        False leaves first orders out, and one-time buyers with them.

    Returns
    -------
    dict
        ``x``, ``customers``, ``first`` and ``repeat`` (mean amount per customer of the group, in
        units of ``unit``), all (group,); scalars ``log_first_sum``, ``log_repeat_sum`` (same
        unit), ``first_count``, ``repeat_count``, ``first_weight`` (1 or 0) and ``unit``, the
        geometric mean amount, which makes the priors the same in every currency.

    Raises
    ------
    ValueError
        For missing columns, NULL, or amounts that are not positive.
    """
    table = "spend groups"
    require_columns(groups, SPEND_GROUPS, table)
    require_complete(groups, SPEND_GROUPS, table, "Group customers with a purchase only.")
    ordered = groups.sort_values(list(SPEND_GROUPS), kind="stable")
    columns = {name: to_float(ordered[name], table) for name in SPEND_GROUPS}
    x, customers = columns["repeat_purchases_count"], columns["customers_count"]
    first, repeat = columns["first_amount_sum"], columns["repeat_amount_sum"]
    wrong = (customers < 1) | (first <= 0) | ((x > 0) & (repeat <= 0)) | ((x == 0) & (repeat != 0))
    if wrong.any():
        raise ValueError(
            f"spend groups: {int(wrong.sum())} rows have no customer, or an amount that is not "
            "positive where a purchase is counted. A purchase day needs a net amount above 0."
        )
    log_first = columns["first_log_amount_sum"].sum()
    log_repeat = columns["log_amount_sum"].sum() - log_first
    weight = 1.0 if use_first_order else 0.0
    first_count, repeat_count = weight * customers.sum(), (customers * x).sum()
    if first_count + repeat_count == 0:
        raise ValueError("spend groups hold no amount to learn from. Fit on a later date.")
    unit = float(np.exp((weight * log_first + log_repeat) / (first_count + repeat_count)))
    return {
        "x": x,
        "customers": customers,
        "first": first / customers / unit,
        "repeat": repeat / customers / unit,
        "log_first_sum": np.float64(weight * log_first - first_count * np.log(unit)),
        "log_repeat_sum": np.float64(log_repeat - repeat_count * np.log(unit)),
        "first_count": np.float64(first_count),
        "repeat_count": np.float64(repeat_count),
        "first_weight": np.float64(weight),
        "unit": np.float64(unit),
    }


def log_likelihood(
    data: Mapping[str, Any],
    p: Any,
    q: Any,
    v: Any,
    kappa: Any,
    first_shape: Any = None,
    xp: Any = np,
) -> Any:
    """Log-likelihood of all amounts, in units of ``unit``; the same lines in NumPy and PyTensor.

    A customer's ordinary amounts are Gamma(p, rate nu), the first one is kappa times such an
    amount, and nu ~ Gamma(q, rate v). With n amounts, sum S (the first divided by kappa) and sum
    of logs L,

        ln L = (p-1) L - n ln Gamma(p) + q ln v - ln Gamma(q) + ln Gamma(q + p n)
        - (q + p n) ln(v + S), less ln kappa for the change of variable.

    L is additive, so a group carries it exactly; S differs within a group by the width of its
    bins, and the group's mean stands for it. ``first_shape`` gives first orders a shape of their
    own (for `first_order_check` only).

    References
    ----------
    Fader, Hardie & Lee (2005), "RFM and CLV", eq. 1-3, there on means, here on each amount.
    """
    if xp is np:
        from scipy.special import gammaln
    else:
        gammaln = xp.gammaln
    p_first = p if first_shape is None else first_shape
    weight = data["first_weight"]
    shape = q + p * data["x"] + weight * p_first  # (group,)
    total = v + data["repeat"] + weight * data["first"] / kappa
    per_group = q * xp.log(v) - gammaln(q) + gammaln(shape) - shape * xp.log(total)
    return (
        xp.sum(data["customers"] * per_group)
        + (p - 1.0) * data["log_repeat_sum"]
        - data["repeat_count"] * gammaln(p)
        + (p_first - 1.0) * data["log_first_sum"]
        - data["first_count"] * (gammaln(p_first) + p_first * xp.log(kappa))
    )


def levelled(value: Any) -> Any:
    """Nearly the value itself while small (0.2 % less at 2), and never above `LARGEST_SHAPE`."""
    return value / (1.0 + value / LARGEST_SHAPE)


def _natural(numbers: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> dict[str, Any]:
    p = levelled(xp.exp(numbers["log_p"]))
    excess = levelled(xp.exp(numbers["log_excess"]))
    v = xp.exp(numbers["log_mean"]) * excess / p * data["unit"]
    return {"p": p, "q": 1.0 + excess, "v": v, "kappa": xp.exp(numbers["log_kappa"])}


# Proper and wide, amounts in units of their geometric mean: p from wildly uneven amounts of one
# customer (0.3) to nearly fixed ones (15); q > 1, so that mean order values exist. Both level off
# at 1,000 (amounts that differ by 3 %): in a shop with one price the likelihood grows without end
# in p and in q, faster than any such prior falls. The mean order value p v/(q-1) is within e^(+-2)
# of the unit, a first order 0.4 to 2.7 times an ordinary one.
PRIORS = {
    "log_p": ("normal", float(np.log(2.0)), 1.0),
    "log_excess": ("normal", float(np.log(2.0)), 1.0),
    "log_mean": ("normal", 0.0, 1.0),
    "log_kappa": ("normal", 0.0, 0.5),
}
MODEL = GroupedModel(
    "spend",
    PRIORS,
    PARAMETERS,
    _natural,
    lambda data, at, xp: log_likelihood(
        data, at["p"], at["q"], at["v"] / data["unit"], at["kappa"], xp=xp
    ),
)


def first_order_check(groups: pd.DataFrame) -> dict[str, float]:
    """Do first orders tell about a customer's level as ordinary orders do?

    First orders get a gamma shape of their own, fitted by penalised maximum likelihood. Given the
    customer, the first order then counts as ``shape_ratio`` = (its shape / p) ordinary orders: 1
    when they are exchangeable up to scale; near 0 when first orders do not follow the customer's
    level (a promotion, a gift); far above 1 when they hardly vary (a starter box at one price).

    Returns
    -------
    dict
        ``shape_ratio``, ``kappa``, and ``is_exchangeable``: 1.0 when the ratio is within
        `FIRST_SHAPE_RANGE`. Without repeat purchases nothing can be compared, and it is 1.0.
    """
    from scipy.optimize import minimize

    data = statistics(groups)
    if data["repeat_count"] == 0:
        return {"shape_ratio": 1.0, "kappa": 1.0, "is_exchangeable": 1.0}

    def loss(point: np.ndarray) -> float:
        log_p, log_excess, log_v, log_kappa, log_ratio = point
        fitted = log_likelihood(
            data,
            np.exp(log_p),
            1.0 + np.exp(log_excess),
            np.exp(log_v),
            np.exp(log_kappa),
            np.exp(log_p + log_ratio),
        )
        # The priors of `PRIORS`, and ln ratio ~ N(0, 1): few repeat orders decide nothing.
        prior = (log_p - np.log(2.0)) ** 2 + (log_excess - np.log(2.0)) ** 2
        prior += (2.0 * log_kappa) ** 2 + log_ratio**2
        return -fitted + 0.5 * prior

    start = np.array([np.log(2.0), np.log(2.0), 0.0, 0.0, 0.0])
    best = minimize(loss, start, method="L-BFGS-B", bounds=[(-4.0, 6.0)] * 5).x
    ratio = float(np.exp(best[4]))
    low, high = FIRST_SHAPE_RANGE
    return {
        "shape_ratio": ratio,
        "kappa": float(np.exp(best[3])),
        "is_exchangeable": float(low <= ratio <= high),
    }


def fit(
    groups: pd.DataFrame,
    settings: Sampling,
    draws_kept: int,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw p, q, v (money) and kappa given spend groups; returns draws and diagnostics.

    Where `first_order_check` finds first orders not exchangeable, they are left out and ``kappa``
    is missing from the draws.
    """
    check = first_order_check(groups)
    uses_first = check["is_exchangeable"] == 1.0
    data = statistics(groups, use_first_order=uses_first)
    draws, diagnostics = sample(MODEL, data, settings, draws_kept, random_state)
    if not uses_first:
        draws = draws.drop(columns="kappa")
    diagnostics["first_order_shape_ratio"] = check["shape_ratio"]
    diagnostics["first_order_used"] = float(uses_first)
    return draws, diagnostics
