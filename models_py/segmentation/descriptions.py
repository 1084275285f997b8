"""One sentence per micro-segment: how many, and what sets them apart, in words with numbers.

Add here how a kind of feature is told.
Short names live in `naming`, and the numbers come from `profiles`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

NOTABLE_GAP = 0.2
MOST_FEATURES = 3


def descriptions(profile: pd.DataFrame, stages: Mapping[str, str], sizes: pd.Series) -> pd.Series:
    """Describe every micro-segment by the features in which it is farthest from its stage.

    Parameters
    ----------
    profile : DataFrame
        The answer of `profiles.profile`.
    stages : mapping of microsegment_key to stage
    sizes : Series
        Customers by microsegment_key; a key without customers counts as 0.

    Returns
    -------
    Series of str by microsegment_key, for every key in `stages`
        "155 customers, 8 % of active: median gap 4 days against 9.1 in the stage, ...". A segment
        that is its whole stage is compared with the base instead.
    """
    by_stage: dict[str, int] = {}
    for key, stage in stages.items():
        by_stage[stage] = by_stage.get(stage, 0) + int(sizes.get(key, 0))
    rows = {str(key): part for key, part in profile.groupby("microsegment_key", sort=True)}
    told = {
        key: _sentence(stage, int(sizes.get(key, 0)), by_stage[stage], rows.get(key))
        for key, stage in stages.items()
    }
    return pd.Series(told, dtype=object)


def _sentence(stage: str, count: int, stage_count: int, rows: pd.DataFrame | None) -> str:
    word = stage.replace("_", " ")
    if not count or rows is None:
        return f"No customers of stage {word} today."
    whole = count == stage_count
    gap, other = ("base_standardised_gap", "base_mean") if whole else (
        "standardised_gap",
        "stage_mean",
    )  # fmt: skip
    share = "all" if whole else f"{count / stage_count:.0%}"
    opening = f"{count:,} customers, {share} of stage {word}"
    apart = rows[rows[gap].abs() >= NOTABLE_GAP]
    # What is rarer than elsewhere says less than what is common.
    apart = apart[~apart["feature"].str.contains("=") | (apart[gap] > 0)]
    order = np.lexsort((apart["feature"].to_numpy().astype(str), -apart[gap].abs().to_numpy()))
    first = apart.iloc[order[:MOST_FEATURES]]
    facts = [
        f"{_plain(feature)} {_value(feature, mean)} against {_value(feature, against)}"
        for feature, mean, against in zip(
            first["feature"], first["mean"], first[other], strict=True
        )
    ]
    where = "of everyone" if whole else "in the stage"
    if not facts:
        return f"{opening}: no feature sets them apart."
    return f"{opening}: {'; '.join(facts)} {where} (means)."


def _plain(feature: str) -> str:
    name, _, level = feature.partition("=")
    for suffix in ("_share", "_days", "_amount", "_count", "_mean", "_km"):
        name = name.removesuffix(suffix)
    words = name.replace("_", " ")
    return f"{words} {level}" if level else words


def _value(feature: str, value: float) -> str:
    if feature.endswith("_share") or "=" in feature:
        return f"{value:.0%}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:,.{digits}f}"
    if feature.endswith("_days"):
        return f"{text} days"
    return f"{text} km" if feature.endswith("_km") else text
