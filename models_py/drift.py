"""How far one profile of a table is from those before it: volume, empty values, distribution.

Add a statistic here when a kind of drift goes unseen. Taking the profile is SQL and stays out; so
do the limits, which are arguments.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2

COUNTS = ("rows_count", "rows_per_day")
# A false alarm about once in a thousand columns, whatever the number of rows.
CHANCE = 0.999
DEVIATIONS = 4.0
SMALL_BUCKET_ROWS = 20
OTHER = "other"


def population_stability_index(
    before: np.ndarray, after: np.ndarray, rows_before: float, rows_after: float
) -> tuple[float, float]:
    """Distance of two distributions over the same buckets, and what chance alone would reach.

    PSI = sum (a - b) ln(a / b) over the shares a, b of the buckets; half a row is added to each, so
    that an empty bucket stays finite. Without drift PSI / (1/n + 1/m) is chi-square with B - 1
    degrees of freedom (Yurdakul and Naranjo 2020, "Statistical properties of the population
    stability index", Journal of Risk Model Validation 14).

    Parameters
    ----------
    before, after
        Shares of the buckets, shape (B,), each adding up to one.
    rows_before, rows_after
        Rows behind them.

    Returns
    -------
    tuple
        The index, and its 99.9 % quantile where nothing drifted.
    """
    buckets = len(before)
    shares_before = (before * rows_before + 0.5) / (rows_before + 0.5 * buckets)
    shares_after = (after * rows_after + 0.5) / (rows_after + 0.5 * buckets)
    index = float(np.sum((shares_after - shares_before) * np.log(shares_after / shares_before)))
    by_chance = float(chi2.ppf(CHANCE, max(buckets - 1, 1))) * (1 / rows_before + 1 / rows_after)
    return index, by_chance


def compare_profiles(
    profiles: pd.DataFrame,
    landing_number: int,
    *,
    compared_landings: int,
    max_psi: float,
    max_volume_change: float,
    max_null_share_change: float,
) -> pd.DataFrame:
    """Hold one landing against the median of the ones before it.

    Parameters
    ----------
    profiles
        landing_number, shape, column_name, measure, bucket, measured_value, rows_count, of this
        landing and earlier ones.
    landing_number
        The landing to judge.
    compared_landings
        How many earlier landings the median is of.
    max_psi, max_volume_change, max_null_share_change
        Limits; each is widened to what chance reaches on so few rows.

    Returns
    -------
    DataFrame
        shape, column_name, measure, before_value, after_value (text), drift, drift_limit,
        landings_compared, is_flagged; empty when there is nothing earlier.
    """
    numbers = sorted(n for n in profiles["landing_number"].unique() if n < landing_number)
    earlier = profiles[profiles["landing_number"].isin(numbers[-compared_landings:])]
    now = profiles[profiles["landing_number"] == landing_number]
    limits = {
        "rows_count": max_volume_change,
        "rows_per_day": max_volume_change,
        "null_share": max_null_share_change,
    }
    rows: list[dict[str, object]] = []
    known = dict(iter(earlier.groupby(["shape", "column_name"], sort=True)))
    for key, part in now.groupby(["shape", "column_name"], sort=True):
        if key not in known:
            continue
        for measure, limit in limits.items():
            rows += _scalar(known[key], part, measure, limit)
        rows += _distribution(known[key], part, max_psi)
    columns = ["before_value", "after_value", "drift", "drift_limit", "landings_compared"]
    return pd.DataFrame(rows, columns=["shape", "column_name", "measure", *columns, "is_flagged"])


def _scalar(
    earlier: pd.DataFrame, now: pd.DataFrame, measure: str, limit: float
) -> list[dict[str, object]]:
    before = earlier[earlier["measure"] == measure].dropna(subset="measured_value")
    after = now[now["measure"] == measure].dropna(subset="measured_value")
    if before.empty or after.empty:
        return []
    was, is_now = float(before["measured_value"].median()), float(after["measured_value"].iloc[0])
    rows_before = max(float(before["rows_count"].median()), 1.0)
    if measure in COUNTS:
        # A table that was empty until now has begun, which is no drift.
        drift = is_now / was - 1 if was > 0 else 0.0
        limit = max(limit, DEVIATIONS / np.sqrt(rows_before))
        shown = [f"{was:,.6g}", f"{is_now:,.6g}"]
    else:
        drift = is_now - was
        rows_after = max(float(after["rows_count"].iloc[0]), 1.0)
        limit = max(limit, DEVIATIONS * np.sqrt(0.25 * (1 / rows_before + 1 / rows_after)))
        shown = [f"{was:.1%}", f"{is_now:.1%}"]
    return [_row(now, measure, shown, drift, float(limit), before)]


def _distribution(
    earlier: pd.DataFrame, now: pd.DataFrame, max_psi: float
) -> list[dict[str, object]]:
    before, after = (part[part["measure"] == "share"] for part in (earlier, now))
    if before.empty or after.empty:
        return []
    shares = before.pivot_table(
        index="landing_number", columns="bucket", values="measured_value", fill_value=0.0
    ).median()
    rows_before, rows_after = (
        float(part.groupby("landing_number")["rows_count"].first().median())
        for part in (before, after)
    )
    both = pd.DataFrame(
        {"before": shares / shares.sum(), "after": after.set_index("bucket")["measured_value"]}
    ).fillna(0.0)
    # Rare values come and go; together they are one bucket.
    is_small = (both["before"] * rows_before < SMALL_BUCKET_ROWS) & (
        both["after"] * rows_after < SMALL_BUCKET_ROWS
    )
    both = both.groupby(np.where(is_small, OTHER, both.index)).sum().sort_index()
    index, by_chance = population_stability_index(
        both["before"].to_numpy(), both["after"].to_numpy(), rows_before, rows_after
    )
    shown = _summaries(earlier, now, both)
    return [_row(now, "distribution", shown, index, max(max_psi, by_chance), before)]


def _summaries(earlier: pd.DataFrame, now: pd.DataFrame, both: pd.DataFrame) -> list[str]:
    """What a reader compares: quantiles of a number, else the share of the code that moved most."""
    if (now["measure"] == "p50").any():
        texts = []
        for part in (earlier, now):
            values = part.groupby("measure")["measured_value"].median()
            texts.append(
                f"median {values['p50']:,.6g}, 5 to 95 %: {values['p05']:,.6g} to "
                f"{values['p95']:,.6g}"
            )
        return texts
    moved = int(np.argmax((both["after"] - both["before"]).abs().to_numpy()))
    return [f"{both.index[moved]} {both[side].iloc[moved]:.1%}" for side in ("before", "after")]


def _row(
    now: pd.DataFrame,
    measure: str,
    shown: list[str],
    drift: float,
    limit: float,
    before: pd.DataFrame,
) -> dict[str, object]:
    return {
        "shape": now["shape"].iloc[0],
        "column_name": now["column_name"].iloc[0],
        "measure": measure,
        "before_value": shown[0],
        "after_value": shown[1],
        "drift": drift,
        "drift_limit": limit,
        "landings_compared": int(before["landing_number"].nunique()),
        "is_flagged": abs(drift) > limit,
    }
