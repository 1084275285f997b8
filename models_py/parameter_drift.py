"""How far two fits of one model lie apart, parameter by parameter.

Add here a measure of change between fits. Drift of delivered data is in drift.py.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMNS = (
    "name",
    "before_mean",
    "after_mean",
    "before_sd",
    "after_sd",
    "relative_change",
    "standardised_change",
)


def compare_parameters(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Compare the posteriors of the parameters that both fits have.

    Parameters
    ----------
    before, after : DataFrame
        model, parameter, value; one row per draw.

    Returns
    -------
    DataFrame
        `COLUMNS`, one row per parameter, sorted by name ("part: parameter"). A parameter that only
        one of the fits has is listed with the other side missing.
    """
    sides = []
    for draws in (before, after):
        name = draws["model"] + ": " + draws["parameter"]
        sides.append(draws.groupby(name)["value"].agg(["mean", "std"]))
    both = sides[0].join(sides[1], how="outer", lsuffix="_before", rsuffix="_after").sort_index()
    return compare(
        both.index.to_series(),
        both["mean_before"],
        both["mean_after"],
        both["std_before"],
        both["std_after"],
    )


def compare(
    name: pd.Series,
    before_mean: pd.Series,
    after_mean: pd.Series,
    before_sd: pd.Series,
    after_sd: pd.Series,
) -> pd.DataFrame:
    """Relative and standardised change of figures, as `COLUMNS`.

    The standardised change is (after - before) / sqrt(sd before^2 + sd after^2), a missing sd
    counting as 0; missing where both are. Beyond 3 a change is more than two independent samples of
    the same customers would show.
    """
    variance = before_sd.fillna(0.0) ** 2 + after_sd.fillna(0.0) ** 2
    change = after_mean - before_mean
    values = {
        "name": name.astype(str),
        "before_mean": before_mean,
        "after_mean": after_mean,
        "before_sd": before_sd,
        "after_sd": after_sd,
        "relative_change": change / before_mean.where(before_mean != 0),
        "standardised_change": change / np.sqrt(variance.where(variance > 0)),
    }
    return pd.DataFrame(values).reset_index(drop=True)[list(COLUMNS)]
