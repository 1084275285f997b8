"""What customers bring along, as multiplicative effects on purchase rate and dropout.

Add here how static covariates (channel, income band, region's index) enter a purchase model.
Groups whose effects are drawn together are in `pooling`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_py.frames import require_columns, require_complete, to_float
from models_py.lifetime_value import pooling, purchases
from models_py.lifetime_value.grouped_model import GroupedModel
from models_py.lifetime_value.sampler import Sampling, sample

# Normal: a covariate one unit up multiplies rates, with 95 %, by 0.4 to 2.7.
EFFECT_PRIOR = ("normal", 0.0, 0.5)
LARGEST_GROUPS_COUNT = 2000
EFFECTS = ("rate_effect", "dropout_effect")


def binned(values: np.ndarray, bins_count: int = 5) -> np.ndarray:
    """Continuous values by the mean of their quantile bin, in sds from the mean of all.

    Customers of one bin share rows, so that the fit stays as cheap as the variety of histories;
    the effect is then one per sd.
    """
    values = np.asarray(values, dtype="float64")
    if not np.isfinite(values).all():
        raise ValueError(
            f"a covariate has {int((~np.isfinite(values)).sum())} values that are not finite. Fill "
            "them, and add an indicator of what was filled."
        )
    edges, middles = bins(values, bins_count)
    found: np.ndarray = middles[np.searchsorted(edges, values, side="right")]
    return found


def bins(values: np.ndarray, bins_count: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Where quantile bins begin, but for the first, and each bin's mean, in sds from the mean."""
    cuts = np.linspace(0, 1, bins_count + 1)[1:-1]
    # At values that occur, so that no bin is empty.
    edges = np.unique(np.quantile(values, cuts, method="higher"))
    edges = edges[edges > values.min()]
    place = np.searchsorted(edges, values, side="right")
    sizes = np.bincount(place)
    middles = np.bincount(place, weights=values) / sizes
    mean = np.average(middles, weights=sizes)
    spread = np.sqrt(np.average((middles - mean) ** 2, weights=sizes))
    return edges, (middles - mean) / (spread if spread > 0 else 1.0)


def statistics(groups: pd.DataFrame, name: str, covariates: Sequence[str]) -> dict[str, np.ndarray]:
    """As `pooling.statistics` by distinct covariates, with their values ``covariate_<i>`` (group,).

    Raises
    ------
    ValueError
        For missing, NULL or textual covariates, or so many distinct ones that nothing is grouped.
    """
    table = "purchase groups"
    require_columns(groups, covariates, table)
    require_complete(groups, covariates, table, "Fill it, and add an indicator of what was filled.")
    values = np.stack([to_float(groups[column], table) for column in covariates], axis=1)
    distinct, place = np.unique(values, axis=0, return_inverse=True)
    if len(distinct) > LARGEST_GROUPS_COUNT:
        raise ValueError(
            f"{table}: {', '.join(covariates)} have {len(distinct)} combinations, more than "
            f"{LARGEST_GROUPS_COUNT}. Bin continuous ones first (`covariates.binned`)."
        )
    # Zeros in front keep the order of names that of the rows of `distinct`.
    named = groups.assign(_covariates=[f"{one:06d}" for one in place.ravel()])
    data, _ = pooling.statistics(named, name, "_covariates")
    columns = {f"covariate_{i}": distinct[:, i] for i in range(len(covariates))}
    used = {key: value for key, value in data.items() if not key.endswith("_centred")}
    return used | columns


def shifted(
    name: str, at: Mapping[str, Any], rate_shift: Any, dropout_shift: Any, xp: Any = np
) -> dict[str, Any]:
    """Parameters of customers whose log rate and log odds of leaving are shifted.

    For Pareto/NBD the log median lifetime goes down by `dropout_shift`, so that a positive effect
    always means leaving sooner.
    """
    found = dict(at) | {"alpha": at["alpha"] * xp.exp(-rate_shift)}
    if name == "pareto_nbd":
        return found | {"beta": at["beta"] * xp.exp(-dropout_shift)}
    total = at["a"] + at["b"]
    odds = at["a"] / at["b"] * xp.exp(dropout_shift)
    return found | {"a": total * odds / (1.0 + odds), "b": total / (1.0 + odds)}


def model(name: str, covariates: Sequence[str]) -> GroupedModel:
    """The family with an effect of each covariate on rate and on dropout."""
    base = purchases.model(name)
    effects = [(f"rate_effect[{one}]", f"dropout_effect[{one}]") for one in covariates]
    names = [effect for pair in effects for effect in pair]

    def natural(numbers: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> dict[str, Any]:
        return base.natural(numbers, data, xp) | {
            effect: numbers[f"number of {effect}"] * 1.0 for effect in names
        }

    def log_likelihood(data: Mapping[str, Any], at: Mapping[str, Any], xp: Any) -> Any:
        by_rate, by_dropout = (
            sum(at[pair[kind]] * data[f"covariate_{i}"] for i, pair in enumerate(effects))
            for kind in (0, 1)
        )
        found = shifted(name, {key: at[key] for key in base.parameters}, by_rate, by_dropout, xp)
        return pooling.log_likelihood(name, data, found, xp)

    priors = dict(base.priors) | {f"number of {effect}": EFFECT_PRIOR for effect in names}
    return GroupedModel(name, priors, (*base.parameters, *names), natural, log_likelihood)


def fit(
    groups: pd.DataFrame,
    name: str,
    covariates: Sequence[str],
    settings: Sampling,
    draws_kept: int,
    random_state: int,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw the parameters of a customer whose covariates are 0, and the effects.

    Parameters
    ----------
    groups : DataFrame
        Columns of `PURCHASE_GROUPS` and the covariates: 0/1 indicators or `binned` values.
    name : str
        One of `purchases.MODELS`.
    covariates : sequence of str
    settings, draws_kept, random_state
        As `sampler.sample`.

    Returns
    -------
    (DataFrame, dict)
        The family's parameters, ``rate_effect[<covariate>]`` (log rate per unit) and
        ``dropout_effect[<covariate>]`` (log odds of leaving; Pareto/NBD: minus the log median
        lifetime), one row per draw; and diagnostics.
    """
    data = statistics(groups, name, covariates)
    return sample(model(name, covariates), data, settings, draws_kept, random_state)


def draws_of_customer(draws: pd.DataFrame, name: str, values: Mapping[str, float]) -> pd.DataFrame:
    """The draws of customers with these covariates, as the family's own parameters."""
    shifts = [
        sum(draws[f"{kind}_effect[{one}]"] * value for one, value in values.items())
        for kind in ("rate", "dropout")
    ]
    at = {key: draws[key] for key in purchases.model(name).parameters}
    return pd.DataFrame(shifted(name, at, *shifts))
