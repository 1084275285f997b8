"""The gamma-gamma model as published, on mean repeat amounts; for comparison with the literature.

Add here nothing but what that comparison needs.
The model that the product uses is in `spend`: on means alone the spread within a customer is read
from the spread between them, and intervals of single amounts come out wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models_py.frames import require_columns, to_float
from models_py.lifetime_value.grouped_model import GroupedModel
from models_py.lifetime_value.sampler import Sampling, sample

PARAMETERS = ("p", "q", "v")
COLUMNS = {"repeat_purchases_count": "integer", "repeat_amount_sum": "number"}


def statistics(customers: pd.DataFrame) -> dict[str, np.ndarray]:
    """Turn one row per repeat buyer into ``x``, ``mean`` (in ``unit``) and ``unit``.

    Raises
    ------
    ValueError
        For missing columns, or where a repeat buyer's amount is not positive.
    """
    table = "repeat buyers"
    require_columns(customers, COLUMNS, table)
    x, total = (to_float(customers[name], table) for name in COLUMNS)
    keep = x > 0
    if not keep.any() or (total[keep] <= 0).any():
        raise ValueError(
            f"{table}.repeat_amount_sum must be above 0 for every customer with repeat "
            "purchases, of whom one at least is needed. Leave out days that net to zero."
        )
    mean = total[keep] / x[keep]
    unit = np.exp(np.mean(np.log(mean)))
    return {"x": x[keep], "mean": mean / unit, "unit": np.float64(unit)}


def log_likelihood(data: Mapping[str, Any], p: Any, q: Any, v: Any, xp: Any = np) -> Any:
    """Log-likelihood of mean amounts: Fader & Hardie (2013), gamma-gamma note, eq. 1a."""
    if xp is np:
        from scipy.special import gammaln
    else:
        gammaln = xp.gammaln
    x, mean = data["x"], data["mean"]
    return xp.sum(
        gammaln(p * x + q)
        - gammaln(p * x)
        - gammaln(q)
        + q * xp.log(v)
        + (p * x - 1.0) * xp.log(mean)
        + p * x * xp.log(x)
        - (p * x + q) * xp.log(v + x * mean)
    )


def _natural(numbers: Mapping[str, Any], data: Mapping[str, Any], xp: Any) -> dict[str, Any]:
    p, excess = xp.exp(numbers["log_p"]), xp.exp(numbers["log_excess"])
    return {"p": p, "q": 1.0 + excess, "v": xp.exp(numbers["log_mean"]) * excess / p * data["unit"]}


# Those of `spend`, wider on p: means identify it poorly.
PRIORS = {
    "log_p": ("normal", float(np.log(4.0)), 1.5),
    "log_excess": ("normal", float(np.log(2.0)), 1.0),
    "log_mean": ("normal", 0.0, 1.0),
}
MODEL = GroupedModel(
    "spend_means",
    PRIORS,
    PARAMETERS,
    _natural,
    lambda data, at, xp: log_likelihood(data, at["p"], at["q"], at["v"] / data["unit"], xp),
)


def fit(
    customers: pd.DataFrame, settings: Sampling, draws_kept: int, random_state: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Sample p, q, v (money) given mean repeat amounts; returns draws and diagnostics."""
    data = statistics(customers)
    return sample(MODEL, data, settings, draws_kept, random_state)
