"""Many small k-means runs at once: bootstraps and restarts share one pass over the customers.

Add here what makes many runs on a small sample cheap: a library call costs about 2 ms before it
computes anything, and a fit asks for thousands. One fit on a large sample stays in `clusterers`.
"""

from __future__ import annotations

import numpy as np

MAX_ITERATIONS = 60


def many_kmeans(
    values: np.ndarray, k: int, weights: np.ndarray, restarts: int, rng: np.random.Generator
) -> np.ndarray:
    """Lloyd's algorithm from k-means++ starts, the best of `restarts` for each weighting.

    Parameters
    ----------
    values : ndarray (customer, column)
    k : int
    weights : ndarray (run, customer)
        How often each customer counts in each run; 0 leaves a customer out.
    restarts : int
    rng : Generator

    Returns
    -------
    ndarray (run, k, column)
        Centres with the least weighted sum of squared distances.
    """
    runs = len(weights)
    every = np.repeat(weights, restarts, axis=0)  # (run x restart, customer)
    centres = _starts(values, k, every, rng)
    norms = (values**2).sum(axis=1)
    inertia = np.full(len(every), np.inf)
    moving = np.arange(len(every))
    for _ in range(MAX_ITERATIONS):
        labels, nearest = _assign(values, norms, centres[moving])
        inertia[moving] = (every[moving] * nearest).sum(axis=1)
        moved = _means(values, labels, every[moving], centres[moving])
        changed = np.abs(moved - centres[moving]).max(axis=(1, 2)) > 1e-6
        centres[moving] = moved
        moving = moving[changed]
        if not len(moving):
            break
    best = inertia.reshape(runs, restarts).argmin(axis=1)
    chosen: np.ndarray = centres.reshape(runs, restarts, k, -1)[np.arange(runs), best]
    return chosen


def _starts(
    values: np.ndarray, k: int, weights: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """k-means++ (Arthur and Vassilvitskii 2007), one draw per centre, for all runs at once."""
    runs = len(weights)
    centres = np.empty((runs, k, values.shape[1]))
    norms = (values**2).sum(axis=1)
    chance = weights.astype(float)
    nearest = np.full(weights.shape, np.inf)
    for cluster in range(k):
        ladder = chance.cumsum(axis=1)
        aim = rng.random(runs) * ladder[:, -1]
        # Where all weight lies on the centres themselves, any customer will do: the last one.
        picked = np.minimum((ladder < aim[:, None]).sum(axis=1), len(values) - 1)
        centres[:, cluster] = values[picked]
        _, apart = _assign(values, norms, centres[:, cluster, None])
        nearest = np.minimum(nearest, apart)
        chance = weights * nearest
    return centres


def _assign(
    values: np.ndarray, norms: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centre and squared distance, shapes (run, customer)."""
    runs, k, width = centres.shape
    products = centres.reshape(-1, width) @ values.T  # (run x k, customer)
    squares = (centres**2).sum(axis=2).reshape(-1, 1) - 2.0 * products
    squares = squares.reshape(runs, k, -1)
    labels = squares.argmin(axis=1)
    nearest = np.maximum(squares.min(axis=1) + norms, 0.0)
    return labels, nearest


def _means(
    values: np.ndarray, labels: np.ndarray, weights: np.ndarray, centres: np.ndarray
) -> np.ndarray:
    moved = centres.copy()
    for cluster in range(centres.shape[1]):
        own = np.where(labels == cluster, weights, 0.0)  # (run, customer)
        total = own.sum(axis=1)
        is_filled = total > 0
        sums = own @ values
        moved[is_filled, cluster] = sums[is_filled] / total[is_filled, None]
    return moved
