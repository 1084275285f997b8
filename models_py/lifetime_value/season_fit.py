"""How busy each week of the year is, estimated from counts, and whether a clock is worth it.

Add here how a season is estimated or judged. What is read on its clock is in `seasonality`.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from models_py.frames import require_columns, require_complete, to_float
from models_py.lifetime_value.seasonality import WEEKS_OF_YEAR, OperationalClock, week_of_year

WEEKLY_PURCHASES: dict[str, str] = {
    "week_start_date": "date",
    "repeat_purchases_count": "integer",  # repeat purchase days in the week
    "customers_at_risk_count": "number",  # customers won before the week, averaged over its days
}
FEWEST_WEEKS = 2 * WEEKS_OF_YEAR
# Without a season the likelihood of new weeks under any index learned before, over that under none,
# is above 20 in at most one shop of 20 (Markov's inequality; its expectation is 1).
WORTH_A_CLOCK = math.log(20.0)
_SPREADS = (0.01, 0.03, 0.06, 0.1, 0.15, 0.25, 0.4, 0.6, 1.0)
_TABLE = "weekly purchase counts"


def find_clock(counts: pd.DataFrame) -> tuple[OperationalClock | None, str]:
    """The season's clock where the data show one, else None; and why, in words for the record.

    Parameters
    ----------
    counts : DataFrame
        Columns of `WEEKLY_PURCHASES`, a row per whole week; may be short or empty.

    References
    ----------
    Wasserman, Ramdas & Balakrishnan (2020), "Universal inference": the split likelihood ratio.
    """
    if len(counts) < FEWEST_WEEKS:
        return None, f"calendar: {len(counts)} whole weeks, fewer than two seasons ({FEWEST_WEEKS})"
    if not counts["repeat_purchases_count"].sum() > 0:
        return None, "calendar: no repeat purchase"
    clock = fit_clock(counts)
    said = f"a gain of {clock.gain:.1f} in the last season, {WORTH_A_CLOCK:.1f} needed"
    return (None, f"calendar: {said}") if clock.gain < WORTH_A_CLOCK else (clock, f"clock: {said}")


def fit_clock(counts: pd.DataFrame) -> OperationalClock:
    """Estimate the index from repeat purchases per customer at risk, week by week.

    Counts are Poisson with mean (customers at risk) x trend x season, more dispersed by a factor.
    The log trend is a quadratic: the longer a customer is known the likelier gone, so that
    purchases per customer fall and would pass for a season. The log of each week of the year is
    Normal(0, spread); the spread with the highest evidence (by Laplace) is taken, so that a shop
    without a season gets an index of nearly 1 throughout.

    Parameters
    ----------
    counts : DataFrame
        Columns of `WEEKLY_PURCHASES`, a row per whole week, at least 104 weeks.

    Raises
    ------
    ValueError
        For missing columns or NULL, fewer than two seasons, gaps, or no purchases.
    """
    require_columns(counts, WEEKLY_PURCHASES, _TABLE)
    require_complete(counts, WEEKLY_PURCHASES, _TABLE, "Count weeks without purchases as 0.")
    ordered = counts.sort_values("week_start_date", kind="stable")
    starts = pd.DatetimeIndex(pd.to_datetime(ordered["week_start_date"]))
    if len(ordered) < FEWEST_WEEKS:
        raise ValueError(
            f"{_TABLE}: {len(ordered)} weeks are fewer than the two seasons (104 weeks) that tell "
            "a season from chance. Leave seasonality off until then."
        )
    if (np.diff(starts.to_numpy()) != np.timedelta64(7, "D")).any():
        raise ValueError(f"{_TABLE}.week_start_date has gaps or repeats. Give a row per week.")
    bought = to_float(ordered["repeat_purchases_count"], _TABLE, whole=True)
    at_risk = to_float(ordered["customers_at_risk_count"], _TABLE)
    wrong = (bought < 0) | (at_risk < 0) | ((at_risk == 0) & (bought > 0))
    if wrong.any() or bought.sum() == 0:
        raise ValueError(
            f"{_TABLE}: {int(wrong.sum())} rows have a negative count or purchases of nobody, "
            f"{int(bought.sum())} purchases in all. Count purchases of customers won before."
        )
    seen = at_risk > 0
    weeks = week_of_year(_middle(ordered))
    position = np.linspace(-1.0, 1.0, len(ordered))
    earlier = seen & (np.arange(len(ordered)) < len(ordered) - WEEKS_OF_YEAR)
    index, dispersion = _season(bought[seen], at_risk[seen], weeks[seen], position[seen])
    gain = 0.0
    if earlier.sum() >= WEEKS_OF_YEAR // 2 and bought[earlier].sum() > 0:
        learned, _ = _season(bought[earlier], at_risk[earlier], weeks[earlier], position[earlier])
        last = seen & (np.arange(len(ordered)) >= len(ordered) - WEEKS_OF_YEAR)
        gain = _shape_gain(bought[last], at_risk[last], learned[weeks[last]]) / dispersion
    return OperationalClock(index, gain)


def log_jacobian(clock: OperationalClock, counts: pd.DataFrame) -> float:
    """What to add to a log-likelihood on this clock to compare it with one on the calendar.

    A density of times on the clock becomes one of calendar times by the index at each repeat
    purchase; `counts` has the columns week_start_date and repeat_purchases_count.
    """
    bought = to_float(counts["repeat_purchases_count"], _TABLE)
    return float(np.sum(bought * np.log(clock.of_days(_middle(counts)))))


def _middle(counts: pd.DataFrame) -> pd.DatetimeIndex:
    starts = pd.DatetimeIndex(pd.to_datetime(counts["week_start_date"]))
    return starts + pd.Timedelta(days=3)


def _season(
    bought: np.ndarray, at_risk: np.ndarray, weeks: np.ndarray, position: np.ndarray
) -> tuple[np.ndarray, float]:
    """The index (52,) and the dispersion, from the spread of highest evidence."""
    design = np.zeros((len(bought), WEEKS_OF_YEAR + 3))
    design[np.arange(len(bought)), weeks] = 1.0
    design[:, WEEKS_OF_YEAR:] = position[:, None] ** np.arange(3)
    # The first fit is loose, so that its residuals are chance and not season.
    start = np.zeros(design.shape[1])
    start[WEEKS_OF_YEAR] = np.log(bought.sum() / at_risk.sum())
    loose, _, taken = _penalised(bought, at_risk, design, start, _SPREADS[-1], 1.0)
    mean = at_risk * np.exp(design @ loose)
    dispersion = max(1.0, np.sum((bought - mean) ** 2 / mean) / max(len(bought) - taken, 1.0))
    fits = [_penalised(bought, at_risk, design, loose, one, dispersion) for one in _SPREADS]
    best = max(fits, key=lambda fit: fit[1])[0]
    index = np.exp(best[:WEEKS_OF_YEAR])
    days = np.full(WEEKS_OF_YEAR, 7.0)
    days[-1] = 8.25
    return index / np.average(index, weights=days), float(dispersion)


def _penalised(
    bought: np.ndarray,
    at_risk: np.ndarray,
    design: np.ndarray,
    start: np.ndarray,
    spread: float,
    dispersion: float,
) -> tuple[np.ndarray, float, float]:
    """Newton's mode of the penalised Poisson model, its log evidence, its effective parameters."""
    penalty = np.full(design.shape[1], 1.0 / spread**2)
    # A trend bends by at most a few units from end to end; the level is free.
    penalty[WEEKS_OF_YEAR:] = [1e-6, 0.25, 0.25]

    def value(point: np.ndarray) -> float:
        log_mean = design @ point
        fitted = np.sum(bought * log_mean - at_risk * np.exp(log_mean)) / dispersion
        return float(fitted - 0.5 * np.sum(penalty * point**2))

    point = start
    for _ in range(50):
        mean = at_risk * np.exp(design @ point)
        curvature = (design.T * mean) @ design / dispersion
        gradient = design.T @ (bought - mean) / dispersion - penalty * point
        step = np.linalg.solve(curvature + np.diag(penalty), gradient)
        length = 1.0
        while value(point + length * step) < value(point) - 1e-9 and length > 1e-6:
            length /= 2.0
        point = point + length * step
        if np.abs(step).max() < 1e-8:
            break
    mean = at_risk * np.exp(design @ point)
    curvature = (design.T * mean) @ design / dispersion
    whole = curvature + np.diag(penalty)
    evidence = value(point) + 0.5 * (np.sum(np.log(penalty)) - np.linalg.slogdet(whole)[1])
    return point, float(evidence), float(np.trace(np.linalg.solve(whole, curvature)))


def _shape_gain(bought: np.ndarray, at_risk: np.ndarray, index: np.ndarray) -> float:
    """Log-likelihood of how purchases spread over weeks, with the index less without."""
    with_index, without = at_risk * index, at_risk
    return float(np.sum(bought * np.log(with_index / with_index.sum() / (without / without.sum()))))
