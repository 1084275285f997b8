"""Purchase models whose rate and dropout differ between groups known beforehand, drawn together.

Add here what lets cohorts or channels learn from each other.
One population's likelihoods are in `purchases` and `pareto_nbd`; micro-segments must never be
pooled over, since they are made from what is estimated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models_py.frames import require_columns, require_complete
from models_py.lifetime_value import pareto_nbd, purchases
from models_py.lifetime_value.grouped_model import SharedData
from models_py.lifetime_value.sampler import Sampling, chains

SCALES = ("rate_scale", "dropout_scale")
# Half-normal: the rates of two thirds of all groups are, with 95 %, within a factor e of the
# population's, likewise the odds of leaving or (Pareto/NBD) the median lifetime.
PRIOR_SCALE = 0.5
PRIORS = dict.fromkeys(SCALES, ("half_normal", 0.0, PRIOR_SCALE))
_SHIFTED = {"mbg_nbd": "logit_dropout", "bg_nbd": "logit_dropout", "pareto_nbd": "log_lifetime"}
_BY_GROUP = {
    "mbg_nbd": ("alpha", "a", "b"),
    "bg_nbd": ("alpha", "a", "b"),
    "pareto_nbd": ("alpha", "beta"),
}


def statistics(
    groups: pd.DataFrame, name: str, pool_by: str
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of the likelihood with the group of each row, and the groups' names in order.

    Returns
    -------
    (dict, list of str)
        As `purchases.statistics`, with distinct values, steps and counts kept group by group;
        ``group`` (row,) and ``step_group`` (step,) number the groups; ``rate_centred`` and
        ``dropout_centred`` (group,) say how much a group's data tell of it: 0 nothing, 1 all.

    Raises
    ------
    ValueError
        For a missing or NULL group, or what `purchases.statistics` refuses.
    """
    table = "purchase groups"
    require_columns(groups, [pool_by], table)
    require_complete(groups, [pool_by], table, "Name the group of every customer, or do not pool.")
    names = sorted(groups[pool_by].astype(str).unique())
    parts = [
        purchases.statistics(groups[groups[pool_by].astype(str) == one], name) for one in names
    ]
    lengths = [len(part["step"]) for part in parts]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    data = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    data["group"] = np.repeat(np.arange(len(parts)), [len(part["x"]) for part in parts])
    data["step_group"] = np.repeat(np.arange(len(parts)), lengths)
    if name != "pareto_nbd":
        data["last_chance_place"] = data["last_chance_place"] + starts[data["group"]]
        for time in ("T", "t_x"):
            data[f"{time}_values"], data[f"{time}_place"] = data[time], np.arange(len(data[time]))
    customers, bought = (
        np.bincount(data["group"], weights=weights)
        for weights in (data["customers"], data["customers"] * data["x"])
    )
    # Roughly the information on the log rate of a negative binomial count; of leaving, data know
    # about a tenth of that.
    known = PRIOR_SCALE**2 * bought / (1.0 + bought / customers)
    data["rate_centred"] = known / (1.0 + known)
    data["dropout_centred"] = 0.1 * known / (1.0 + 0.1 * known)
    return data, names


def log_likelihood(name: str, data: Mapping[str, Any], at: Mapping[str, Any], xp: Any = np) -> Any:
    """Log-likelihood of all customers; alpha and a, b or beta are (group,), the rest scalar."""
    row = {key: at[key][data["group"]] for key in _BY_GROUP[name]}
    if name == "pareto_nbd":
        return pareto_nbd.log_likelihood(data, at["r"], row["alpha"], at["s"], row["beta"], xp)
    by_step = tuple(at[key][data["step_group"]] for key in ("a", "b"))
    return purchases.log_likelihood(
        data, at["r"], row["alpha"], row["a"], row["b"], xp, (by_step[0], by_step[1])
    )


def _stated(name: str, groups_count: int, data: Mapping[str, np.ndarray]) -> Any:
    """The hierarchical model in PyMC.

    An offset is raw * scale^(1-c) with raw ~ Normal(0, scale^c): c = 1 is the centred form, for
    groups of which the data know much, c = 0 the non-centred one, for groups of which they do not.
    """
    import pymc as pm
    import pytensor.tensor as pt

    base = purchases.model(name)
    with pm.Model() as model:
        shared = SharedData(data)
        numbers = base.pymc_numbers()
        offsets = {}
        for what, scale_name in zip(("rate", "dropout"), SCALES, strict=True):
            scale = pm.HalfNormal(scale_name, PRIORS[scale_name][2])
            centred = shared[f"{what}_centred"]
            raw = pm.Normal(f"{what}_raw", 0.0, scale**centred, shape=groups_count)
            offsets[what] = raw * scale ** (1.0 - centred)
        shifted = numbers | {
            "log_rate": numbers["log_rate"] + offsets["rate"],
            _SHIFTED[name]: numbers[_SHIFTED[name]] + offsets["dropout"],
        }
        population = base.natural(numbers, shared, pt)
        for parameter in base.parameters:
            pm.Deterministic(parameter, population[parameter])
        found = base.natural(shifted, shared, pt)
        for parameter in _BY_GROUP[name]:
            pm.Deterministic(f"{parameter}_group", found[parameter])
        pm.Potential("likelihood", log_likelihood(name, shared, found, pt))
    return model


def fit(
    groups: pd.DataFrame,
    name: str,
    pool_by: str,
    settings: Sampling,
    draws_kept: int,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw the population's and every group's parameters together, by the No-U-Turn sampler.

    A group's rate is the population's times e^u, u ~ Normal(0, rate_scale); its odds of leaving
    (Pareto/NBD: its median lifetime) likewise with dropout_scale. Both scales are estimated, so
    that groups are drawn together as far as they are alike, small ones further than large ones.

    Parameters
    ----------
    groups : DataFrame
        Columns of `PURCHASE_GROUPS` and `pool_by`.
    name : str
        One of `purchases.MODELS`.
    pool_by : str
    settings : Sampling
        ``inference`` is not read: a mode of scales and offsets together would put scales at 0.
    draws_kept : int
    random_state : int

    Returns
    -------
    (DataFrame, dict)
        One row per draw: the population's parameters, `SCALES`, and ``alpha[<group>]`` with
        ``a[<group>]``, ``b[<group>]`` or ``beta[<group>]``; and `posterior.diagnose`.
    """
    data, group_names = statistics(groups, name, pool_by)
    count = len(group_names)
    scalars = [*purchases.model(name).parameters, *SCALES]
    vectors = [f"{parameter}_group" for parameter in _BY_GROUP[name]]
    trace, diagnostics = chains(
        f"pooled {purchases.model(name).parameters} {count}",
        lambda given: _stated(name, count, given),
        scalars + vectors,
        data,
        settings,
        random_state,
    )
    joined = {key: np.asarray(trace.posterior[key]).reshape(-1) for key in scalars}
    for parameter, key in zip(_BY_GROUP[name], vectors, strict=True):
        values = np.asarray(trace.posterior[key]).reshape(-1, count)  # (draw, group)
        joined |= {f"{parameter}[{one}]": values[:, i] for i, one in enumerate(group_names)}
    kept = np.linspace(0, len(joined["r"]) - 1, draws_kept).round().astype(int)
    if draws_kept > len(joined["r"]):
        raise ValueError(f"{draws_kept} draws are to be kept of {len(joined['r'])}. Raise draws.")
    draws = pd.DataFrame({key: values[kept] for key, values in joined.items()})
    return draws.rename_axis(index="draw"), diagnostics
