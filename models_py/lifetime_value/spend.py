"""How much customers spend on a purchase day: gamma amounts with gamma heterogeneity.

Add here the likelihood of amounts on (count, sum, sum of logs), its priors and its fit.
Whether its assumptions hold is asked in `spend_check`, when purchases happen in `purchases`; the
published form on means is `spend_means`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_py.frames import SPEND_GROUPS, require_columns, require_complete, to_float
from models_py.lifetime_value.grouped_model import GroupedModel
from models_py.lifetime_value.sampler import Sampling, sample

PARAMETERS = ("p", "q", "v", "kappa")
LEVEL_PREFIX = "level_from_"
LARGEST_SHAPE = 1000.0


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
        units of ``unit``), ``log_first`` and ``log_repeat`` (mean sum of logs per customer, same
        unit), all (group,); scalars ``first_weight`` (1 or 0) and ``unit``, the geometric
        mean amount, which makes the priors the same in every currency.

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
    log_first = columns["first_log_amount_sum"]
    log_repeat = columns["log_amount_sum"] - log_first
    weight = 1.0 if use_first_order else 0.0
    first_count, repeat_count = weight * customers.sum(), (customers * x).sum()
    if first_count + repeat_count == 0:
        raise ValueError("spend groups hold no amount to learn from. Fit on a later date.")
    logs = (weight * log_first + log_repeat).sum() / (first_count + repeat_count)
    unit = float(np.exp(logs))
    return {
        "x": x,
        "customers": customers,
        "first": first / customers / unit,
        "repeat": repeat / customers / unit,
        "log_first": log_first / customers - logs,
        "log_repeat": log_repeat / customers - x * logs,
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
    each = per_customer(data, p, q, v, kappa, first_shape, xp)
    return xp.sum(data["customers"] * each)


def per_customer(
    data: Mapping[str, Any],
    p: Any,
    q: Any,
    v: Any,
    kappa: Any,
    first_shape: Any = None,
    xp: Any = np,
) -> Any:
    """`log_likelihood` of one customer of each group, (group,); v may differ by group."""
    if xp is np:
        from scipy.special import gammaln
    else:
        gammaln = xp.gammaln
    p_first = p if first_shape is None else first_shape
    weight, x = data["first_weight"], data["x"]
    shape = q + p * x + weight * p_first
    total = v + data["repeat"] + weight * data["first"] / kappa
    first = (p_first - 1.0) * data["log_first"] - gammaln(p_first) - p_first * xp.log(kappa)
    return (
        q * xp.log(v)
        - gammaln(q)
        + gammaln(shape)
        - shape * xp.log(total)
        + (p - 1.0) * data["log_repeat"]
        - x * gammaln(p)
        + weight * first
    )


def levelled(value: Any) -> Any:
    """Nearly the value itself while small (0.2 % less at 2), and never above `LARGEST_SHAPE`."""
    return value / (1.0 + value / LARGEST_SHAPE)


def natural(numbers: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> dict[str, Any]:
    """p, q, v (money) and kappa of the unbounded numbers of `PRIORS`."""
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
    natural,
    lambda data, at, xp: log_likelihood(
        data, at["p"], at["q"], at["v"] / data["unit"], at["kappa"], xp=xp
    ),
)


def with_levels(data: Mapping[str, Any], classes: Sequence[int]) -> dict[str, np.ndarray]:
    """Add to `statistics` which class of frequency each group is in.

    Parameters
    ----------
    data : mapping
    classes : sequence of int
        The smallest x of each class, ascending from 0.

    Returns
    -------
    dict
        `data` with ``in_<x>`` (group,), 1 for groups of that class or a later one, and
        ``share_<x>``, the share of customers in the class.
    """
    found = dict(data)
    number = np.searchsorted(classes, data["x"], side="right") - 1
    for i, smallest in enumerate(classes):
        found[f"in_{smallest}"] = (number >= i).astype("float64")
        share = data["customers"][number == i].sum() / data["customers"].sum()
        found[f"share_{smallest}"] = np.float64(share)
    return found


def model_with_levels(classes: Sequence[int]) -> GroupedModel:
    """The model where customers of different frequency spend at different levels.

    The rate of nu is v times a level of the customer's class of x; levels average 1 over
    customers, so v and the mean order value stay those of the population. From class to class the
    log of the level takes a step ~ N(0, 0.5): a class that shows nothing of itself (one-time
    buyers where first orders are left out) is like its neighbour, within a factor of e^0.5.
    """
    steps = {f"log_step_{smallest}": ("normal", 0.0, 0.5) for smallest in classes[1:]}
    names = [f"{LEVEL_PREFIX}{smallest}" for smallest in classes]

    def with_level(numbers: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> dict[str, Any]:
        found = natural(numbers, data, xp)
        log_level, logs = 0.0 * numbers["log_p"], []
        for smallest in classes:
            log_level = log_level + numbers.get(f"log_step_{smallest}", 0.0)
            logs.append(log_level)
        mean = sum(
            data[f"share_{smallest}"] * xp.exp(log)
            for smallest, log in zip(classes, logs, strict=True)
        )
        return found | {name: xp.exp(log) / mean for name, log in zip(names, logs, strict=True)}

    def likelihood(data: Mapping[str, Any], at: Mapping[str, Any], xp: Any) -> Any:
        log_level = xp.log(at[names[0]])
        for before, name, smallest in zip(names, names[1:], classes[1:], strict=False):
            log_level = log_level + data[f"in_{smallest}"] * xp.log(at[name] / at[before])
        v = at["v"] / data["unit"] * xp.exp(log_level)
        return log_likelihood(data, at["p"], at["q"], v, at["kappa"], xp=xp)

    return GroupedModel("spend", PRIORS | steps, (*PARAMETERS, *names), with_level, likelihood)


def level_classes(draws: Mapping[str, Any]) -> list[int]:
    """The repeat purchases from which each level of spend holds; 0 alone where there is one."""
    classes = sorted(int(name.removeprefix(LEVEL_PREFIX)) for name in draws if is_level(name))
    return classes or [0]


def level_of(draws: Mapping[str, Any], x: np.ndarray) -> np.ndarray:
    """The factor on v of customers with x repeat purchases, (customer, draw).

    Ones of shape (customer, 1) when the draws hold no levels, as where spend and frequency are
    independent.
    """
    if not any(is_level(name) for name in draws):
        return np.ones((len(x), 1))
    classes = level_classes(draws)
    levels = np.stack([np.asarray(draws[f"{LEVEL_PREFIX}{c}"], dtype="float64") for c in classes])
    return levels[np.searchsorted(classes, x, side="right") - 1]


def is_level(name: str) -> bool:
    """Is this the name of a level of spend?"""
    return str(name).startswith(LEVEL_PREFIX)


def fit(
    groups: pd.DataFrame,
    settings: Sampling,
    draws_kept: int,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw p, q, v (money) and kappa given spend groups; returns draws and diagnostics.

    ``amount_unit`` among the latter is the money that the prior of the mean order value is in.

    Where `spend_check.first_order_check` finds first orders not exchangeable, they are left out
    and ``kappa`` is missing from the draws. Where `spend_check.frequency_check` finds that frequent
    customers spend at another level, ``level_from_<x>`` are among them.
    """
    # Here, because it asks its questions of this module's likelihood.
    from models_py.lifetime_value import spend_check

    first = spend_check.first_order_check(groups)
    uses_first = first["is_exchangeable"] == 1.0
    data = statistics(groups, use_first_order=uses_first)
    frequency = spend_check.frequency_check(data)
    model = MODEL
    if frequency["is_independent"] == 0.0:
        classes = spend_check.frequency_classes(data)
        model, data = model_with_levels(classes), with_levels(data, classes)
    draws, diagnostics = sample(model, data, settings, draws_kept, random_state)
    if not uses_first:
        draws = draws.drop(columns="kappa")
    diagnostics["amount_unit"] = float(data["unit"])
    diagnostics["first_order_shape_ratio"] = first["shape_ratio"]
    diagnostics["first_order_used"] = float(uses_first)
    diagnostics["spend_frequency_effect"] = frequency["effect"]
    diagnostics["spend_frequency_p_value"] = frequency["p_value"]
    return draws, diagnostics
