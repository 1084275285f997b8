"""Single measures of forecasts against outcomes: arrays in, one number or one per customer out.

Add here a measure with its formula. Which predictions are measured, over whom and at what date is
`backtest`; what is done about a bad figure is `recalibration` and the pipeline.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Nominal probabilities of the central intervals that are reported."""
_DECILES = 10


def errors(forecast: np.ndarray, actual: np.ndarray) -> dict[str, float]:
    """Every measure of point forecasts, over customers.

    Parameters
    ----------
    forecast, actual : ndarray (customer,)

    Returns
    -------
    dict
        ``bias`` (total forecast / total actual - 1), ``mae``, ``rmse``, ``correlation``,
        ``spearman``, ``normalised_gini``, ``decile_mape``; a measure that is undefined, for example
        the correlation of a constant, is left out.
    """
    error = forecast - actual
    found = {"mae": float(np.abs(error).mean()), "rmse": float(np.sqrt((error**2).mean()))}
    if actual.sum() > 0:
        found["bias"] = float(forecast.sum() / actual.sum() - 1.0)
        found["decile_mape"] = decile_mape(forecast, actual)
    if np.ptp(forecast) > 0 and np.ptp(actual) > 0:
        ranks = [pd.Series(values).rank().to_numpy() for values in (forecast, actual)]
        found["correlation"] = float(np.corrcoef(forecast, actual)[0, 1])
        found["spearman"] = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
        if actual.min() >= 0:
            found["normalised_gini"] = normalised_gini(forecast, actual)
    return found


def normalised_gini(forecast: np.ndarray, actual: np.ndarray) -> float:
    """How much of the actual value lies with those ranked high, 1 for a perfect ranking.

    The area between the Lorenz curve of `actual` in the order of `forecast` and the diagonal, over
    the same area in the order of `actual` itself. Customers with the same forecast share their
    actual value evenly, so that the order of rows does not matter.
    """
    return _gini(forecast, actual) / _gini(actual, actual)


def _gini(score: np.ndarray, value: np.ndarray) -> float:
    ordered = _by_score(score, value)  # ascending
    share = np.cumsum(ordered) / ordered.sum()
    return float(1.0 - (2.0 * share.sum() - 1.0) / len(share))


def _by_score(score: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Values in ascending order of score, those with equal scores replaced by their mean."""
    _, place, counts = np.unique(score, return_inverse=True, return_counts=True)
    means = np.bincount(place, weights=value) / counts
    return np.repeat(means, counts)


def deciles(forecast: np.ndarray, actual: np.ndarray, parts: int = _DECILES) -> pd.DataFrame:
    """Mean forecast and outcome of equal parts of the customers, the lowest forecasts first.

    Returns
    -------
    DataFrame
        decile (from 1), customers_count, forecast, actual; means per customer. Fewer parts when
        there are fewer customers.
    """
    ordered = {"forecast": np.sort(forecast), "actual": _by_score(forecast, actual)}
    pieces = np.array_split(np.arange(len(forecast)), min(parts, len(forecast)))
    rows = [
        {
            "decile": number + 1,
            "customers_count": len(piece),
            **{name: float(values[piece].mean()) for name, values in ordered.items()},
        }
        for number, piece in enumerate(pieces)
    ]
    return pd.DataFrame(rows)


def decile_mape(forecast: np.ndarray, actual: np.ndarray) -> float:
    """Mean over deciles of the forecast of |mean forecast - mean actual| / mean actual.

    A decile without any outcome has no percentage; the mean is over the others.
    """
    table = deciles(forecast, actual)
    table = table[table["actual"] > 0]
    return float(((table["forecast"] - table["actual"]).abs() / table["actual"]).mean())


def tracking_mape(forecast: np.ndarray, actual: np.ndarray) -> float:
    """Mean over weeks of |cumulative forecast / cumulative actual - 1|, weeks without any left out.

    Parameters
    ----------
    forecast, actual : ndarray (week,)
        Cumulative totals at the end of each week.
    """
    known = actual > 0
    if not known.any():
        return float("nan")
    return float(np.mean(np.abs(forecast[known] / actual[known] - 1.0)))


def crps(draws: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of each customer, exact for the distribution of draws.

    mean |X - y| - mean |X - X'| / 2 over all pairs of draws, by sorting (Gneiting & Raftery 2007,
    equation 21). Of a single draw it is the absolute error.

    Parameters
    ----------
    draws : ndarray (..., draw)
    actual : ndarray (...)
    """
    count = draws.shape[-1]
    ordered = np.sort(draws, axis=-1)
    weights = (2.0 * np.arange(1, count + 1) - count - 1.0) / count**2
    spread = ordered @ weights  # half the mean distance of two draws
    score: np.ndarray = np.abs(draws - actual[..., None]).mean(axis=-1) - spread
    return score


def randomised_pit(draws: np.ndarray, actual: np.ndarray, luck: np.ndarray) -> np.ndarray:
    """(draws below y + U (draws equal to y + 1)) / (draws + 1), uniform for a right forecast.

    Holds however many zeros there are (Czado, Gneiting & Held 2009).

    Parameters
    ----------
    draws : ndarray (..., draw)
    actual, luck : ndarray (...)
        Outcomes, and uniform numbers U of (0, 1).
    """
    below = (draws < actual[..., None]).sum(axis=-1)
    equal = (draws == actual[..., None]).sum(axis=-1)
    pit: np.ndarray = (below + luck * (equal + 1)) / (draws.shape[-1] + 1)
    return pit


def pit_distance(pit: np.ndarray) -> float:
    """Largest distance between the distribution of PIT values and the uniform (Kolmogorov)."""
    ordered = np.sort(pit)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(np.maximum(steps[1:] - ordered, ordered - steps[:-1]).max())


def pit_share(pit: np.ndarray, level: float) -> float:
    """Share of PIT values inside the central interval of a nominal level."""
    tail = (1.0 - level) / 2.0
    return float(np.mean((pit > tail) & (pit < 1.0 - tail)))


def quantile(draws: np.ndarray, level: float) -> np.ndarray:
    """Order statistic of the last axis, the same one that is published (no interpolation)."""
    count = draws.shape[-1]
    place = min(max(int(np.ceil(level * count)), 1), count) - 1
    found: np.ndarray = np.partition(draws, place, axis=-1)[..., place]
    return found


def brier(probability: np.ndarray, happened: np.ndarray) -> float:
    """Mean squared distance between a probability and what happened (0 or 1)."""
    return float(np.mean((probability - happened) ** 2))


def auc(score: np.ndarray, happened: np.ndarray) -> float:
    """P(a customer to whom it happened is scored above one to whom it did not), ties half.

    NaN when it happened to all or to none.
    """
    positive = happened > 0
    hits, misses = int(positive.sum()), int((~positive).sum())
    if hits == 0 or misses == 0:
        return float("nan")
    ranks = pd.Series(score).rank().to_numpy()
    return float((ranks[positive].sum() - hits * (hits + 1) / 2.0) / (hits * misses))


def reliability(probability: np.ndarray, happened: np.ndarray, parts: int = 10) -> pd.DataFrame:
    """Mean probability and share that happened, in equal parts of customers.

    Returns
    -------
    DataFrame
        probability, share, customers_count; ascending.
    """
    table = deciles(probability, happened.astype("float64"), parts)
    named = table.rename(columns={"forecast": "probability", "actual": "share"})
    return named[["probability", "share", "customers_count"]]


def calibration_error(table: pd.DataFrame) -> float:
    """Mean of |probability - share| over customers, from `reliability`."""
    distance = (table["probability"] - table["share"]).abs()
    return float(np.average(distance, weights=table["customers_count"]))


def better_by(
    differences: list[np.ndarray], random_state: int, repeats: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of paired differences, and bootstrap means of it, with origins as clusters.

    Each repeat draws origins with replacement, then customers within each, keeping a customer's
    comparisons together. With one origin only customers are drawn: what differs between months is
    then not in the interval.

    Parameters
    ----------
    differences : list of ndarray (customer, comparison)
        One per origin.
    random_state : int
    repeats : int

    Returns
    -------
    (ndarray (comparison,), ndarray (repeat, comparison))
    """
    generator = np.random.default_rng(random_state)
    drawn = np.zeros((repeats, differences[0].shape[1]))
    sizes = np.zeros((repeats, 1))
    origins = generator.integers(len(differences), size=(repeats, len(differences)))
    for number, values in enumerate(differences):
        customers = len(values)
        taken = (origins == number).sum(axis=1)
        even = np.full(customers, 1.0 / customers)
        for row in np.flatnonzero(taken):
            # The same origin drawn twice draws its customers twice.
            counts = generator.multinomial(customers * taken[row], even)
            drawn[row] += counts @ values
            sizes[row] += counts.sum()
    total = sum(values.sum(axis=0) for values in differences)
    return total / sum(len(values) for values in differences), drawn / sizes
