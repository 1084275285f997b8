"""What part of the gap to comparable customers was ever realised, measured on past dates.

Add here how a share is measured, and when it may be used.
Peers and benchmarks are `peers`; which dates are past, and what came of them, is SQL.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from models_py.frames import require_columns, require_complete, to_float

FEWEST_ORIGINS = 3
FEWEST_CUSTOMERS = 200
LEVEL = 0.90
PAST = {
    "customer_id": "string",
    "predicted": "number",
    "benchmark": "number",
    "realised": "number",
}
BASES = ("peer_measured", "peer_assumed", "none")


@dataclass(frozen=True)
class OriginSlope:
    """The slope at one past date, its standard error, and the customers it rests on."""

    slope: float
    standard_error: float
    customers_count: int


@dataclass(frozen=True)
class AttainableShare:
    """The share of the gap that counts as attainable, and why.

    Attributes
    ----------
    share, share_p05, share_p95 : float
        What is used, within 0..1; the ends are those of the measured slope, or the assumed share.
    slope, slope_p05, slope_p95 : float
        As measured, unclipped; NaN with too few origins.
    origins_count, customers_count : int
        Past dates that were measured, and customers in them (a customer counts at each date).
    basis : str
        peer_measured, peer_assumed or none.
    reason : str
        Why it is that basis, in words.
    """

    share: float
    share_p05: float
    share_p95: float
    slope: float
    slope_p05: float
    slope_p95: float
    origins_count: int
    customers_count: int
    basis: str
    reason: str


def origin_slope(past: pd.DataFrame) -> OriginSlope | None:
    """Regress what a forecast missed on the gap, among the customers of one past date.

    realised - predicted = a + b predicted + c sqrt(predicted) + share x gap + error, gap = max(0,
    benchmark - predicted), by least squares with weights 1 / benchmark and the
    heteroscedasticity-robust (HC1) standard error. `predicted` and its root stand on the right as
    well, because gap falls with it: without them a forecast that is too flat, too steep or bent, or
    a month that was better than another for all, looks like realised gaps (on a simulated shop
    without any, +0.03 with `predicted` alone, 0.00 with both). What is left to the gap is what
    customers gain whose peers are worth more, beside customers of the same forecast.

    Parameters
    ----------
    past : DataFrame
        Columns of `PAST`, one row per customer; without comparable peers benchmark is NULL and the
        row is left out.

    Returns
    -------
    OriginSlope, or None with fewer than `FEWEST_CUSTOMERS` or nothing to tell gap and value apart.
    """
    require_columns(past, PAST, "past")
    require_complete(past, ["customer_id", "predicted", "realised"], "past", "Join the outcomes.")
    past = past.sort_values("customer_id", kind="stable")
    predicted, benchmark, realised = (to_float(past[name], "past") for name in list(PAST)[1:])
    known = np.isfinite(benchmark)
    predicted, benchmark, realised = predicted[known], benchmark[known], realised[known]
    if known.sum() < FEWEST_CUSTOMERS or benchmark.max() <= 0:
        return None
    gap = np.maximum(0.0, benchmark - predicted)
    # The variance of revenue grows with its mean; customers of next to no value weigh no more than
    # the fifth part that comes above them.
    weight = 1.0 / np.maximum(benchmark, max(float(np.quantile(benchmark, 0.2)), 1e-9))
    root = np.sqrt(np.maximum(predicted, 0.0))
    design = np.column_stack([np.ones(len(gap)), predicted, root, gap])
    weighted = design * weight[:, None]
    normal = weighted.T @ design
    if np.linalg.cond(normal / np.sqrt(np.outer(normal.diagonal(), normal.diagonal()))) > 1e10:
        return None
    missed = realised - predicted
    slopes = np.linalg.solve(normal, weighted.T @ missed)
    residual = missed - design @ slopes
    bread = np.linalg.inv(normal)
    meat = (weighted * residual[:, None]).T @ (weighted * residual[:, None])
    size = len(gap)
    variance = (bread @ meat @ bread)[-1, -1] * size / (size - design.shape[1])
    return OriginSlope(float(slopes[-1]), float(np.sqrt(max(variance, 0.0))), size)


def combine(slopes: Iterable[OriginSlope]) -> tuple[float, float, float]:
    """Mean of the slopes over past dates with its central 90 % interval.

    Dates differ by more than their customers' chance (seasons, months), and are few: random effects
    with the variance between dates of DerSimonian and Laird (1986), and the interval of Hartung and
    Knapp (2001) with t on dates - 1 degrees of freedom, never narrower than the fixed effect says.

    Returns
    -------
    mean, 5 % and 95 % end; NaN with fewer than `FEWEST_ORIGINS`.
    """
    found = list(slopes)
    count = len(found)
    if count < FEWEST_ORIGINS:
        return float("nan"), float("nan"), float("nan")
    slope = np.array([one.slope for one in found])
    inside = np.maximum(np.array([one.standard_error for one in found]) ** 2, 1e-18)
    fixed = 1.0 / inside
    centre = (fixed * slope).sum() / fixed.sum()
    spread = (fixed * (slope - centre) ** 2).sum()
    scale = fixed.sum() - (fixed**2).sum() / fixed.sum()
    between = max(0.0, (spread - (count - 1)) / scale)
    weight = 1.0 / (inside + between)
    mean = float((weight * slope).sum() / weight.sum())
    factor = max(1.0, float((weight * (slope - mean) ** 2).sum() / (count - 1)))
    half = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1) * np.sqrt(factor / weight.sum()))
    return mean, mean - half, mean + half


def attainable_share(
    origins: Iterable[pd.DataFrame], assumed_share: float = 0.0
) -> AttainableShare:
    """Measure the share on past dates; fall back to what the business assumes.

    A share is measured when the interval of the slope lies above 0. Else it is `assumed_share`, and
    where that is 0 nothing counts as attainable (basis none).

    Parameters
    ----------
    origins : iterable of DataFrame
        One per past date, as for `origin_slope`, of windows that do not overlap.
    assumed_share : float
        0..1.
    """
    if not 0.0 <= assumed_share <= 1.0:
        raise ValueError(f"assumed_share is {assumed_share}; it must lie in 0..1.")
    slopes = [slope for past in origins if (slope := origin_slope(past)) is not None]
    mean, low, high = combine(slopes)

    def result(
        share: float, low_end: float, high_end: float, basis: str, why: str
    ) -> AttainableShare:
        customers = sum(one.customers_count for one in slopes)
        return AttainableShare(
            share, low_end, high_end, mean, low, high, len(slopes), customers, basis, why
        )

    told = f"slope {mean:.3f} ({low:.3f} to {high:.3f}) over {len(slopes)} past dates"
    if len(slopes) < FEWEST_ORIGINS:
        told = f"{len(slopes)} past dates whose horizon has ended, {FEWEST_ORIGINS} are needed"
    elif low > 0.0:
        used, used_low, used_high = np.clip([mean, low, high], 0.0, 1.0).tolist()
        return result(used, used_low, used_high, BASES[0], told)
    else:
        told += " is not above 0"
    if assumed_share > 0.0:
        told += f"; {assumed_share:g} is assumed in config.yml"
        return result(assumed_share, assumed_share, assumed_share, BASES[1], told)
    return result(0.0, 0.0, 0.0, BASES[2], told)
