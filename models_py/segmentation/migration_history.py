"""Past movement in the keys of today: counts of each period carried through the refits after it.

Add here how a count of former keys is read in later ones.
Counting is SQL, and what is learned from the counts is in `migration_forecast`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

BEHAVIOUR, REFIT = "behaviour", "refit"


def past_counts(migrations: pd.DataFrame, keys: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Lay past periods out as counts between the keys of today.

    Behaviour of a period is counted in the keys of the fits at its start. Each refit since, that of
    the period included, sent the customers of a key to other keys, and the counts follow them in
    the same shares; they are fractions then. A key that stood through a refit without customers
    keeps its name. Customers of keys that nobody of today's keys descends from are left out, and so
    is a period without any others, such as one before a refit that no period of this length holds.

    Parameters
    ----------
    migrations : DataFrame
        as_of_date, cause, from_key, to_key, customers_count of periods of one length and one level,
        as in predictions.segment_migrations.
    keys : sequence of str
        Today's keys.

    Returns
    -------
    tuple of ndarray
        (period, from, to) with departures as the last `to`, and newcomers (period, to); oldest
        period first.
    """
    size = len(keys)
    translation = dict(zip(keys, np.eye(size), strict=True))
    counts, arrivals = [], []
    by_date = dict(list(migrations.groupby("as_of_date")))
    for date in sorted(by_date, reverse=True):  # type: ignore[type-var]
        period = by_date[date]
        refit = period[period["cause"] == REFIT]
        translation = _through(refit, translation, size)
        moved, came = np.zeros((size, size + 1)), np.zeros(size)
        behaviour = period[period["cause"] == BEHAVIOUR]
        paths = zip(
            behaviour["from_key"].astype(object).where(behaviour["from_key"].notna(), None),
            behaviour["to_key"].astype(object).where(behaviour["to_key"].notna(), None),
            behaviour["customers_count"].astype("float64"),
            strict=True,
        )
        for start, end, number in paths:
            to = np.zeros(size + 1)
            if end is None:
                to[-1] = number
            elif end in translation:
                to[:-1] = number * translation[end]
            if start is None:
                came += to[:-1]
            elif start == end:
                # Who stayed, stayed: in a key that a refit split, nobody moved between its parts.
                moved[np.arange(size), np.arange(size)] += to[:-1]
            elif start in translation:
                moved += translation[start][:, None] * to[None, :]
        if moved.any() or came.any():
            counts.append(moved)
            arrivals.append(came)
    if not counts:
        return np.zeros((0, size, size + 1)), np.zeros((0, size))
    return np.stack(counts[::-1]), np.stack(arrivals[::-1])


def _through(
    refit: pd.DataFrame, translation: dict[str, np.ndarray], size: int
) -> dict[str, np.ndarray]:
    """Shares of today's keys in each key before a refit; a key of nobody stays what it was."""
    before = dict(translation)
    for key, rows in refit.dropna(subset=["from_key", "to_key"]).groupby("from_key"):
        number = rows["customers_count"].to_numpy("float64")
        shares = sum(
            count * translation.get(to, np.zeros(size))
            for count, to in zip(number, rows["to_key"], strict=True)
        )
        before[str(key)] = shares / number.sum()
    return before
