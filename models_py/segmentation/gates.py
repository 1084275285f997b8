"""The gates a clustering must pass to be believed: apart from a cloud, stable under resampling.

Add here a measure of one clustering of one sample.
Which clusterings are tried, and which of those that pass is taken, is decided in `structure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models_py.segmentation.clusterers import Clusters, fit_clusters, kmeans

MAX_MISSES = 15
"""Bootstraps after which a hopeless number of clusters is given up."""
REFERENCE_DRAWS = 20


@dataclass(frozen=True)
class StructureSearch:
    """Settings of the search for structure; see `Microsegmentation` for their meaning."""

    max_clusters: int
    stability_floor: float
    floor: int
    n_bootstraps: int
    stability_sample: int
    fit_sample: int
    random_state: int


@dataclass(frozen=True)
class Candidate:
    """One clustering of the sample, before it is believed."""

    algorithm: str
    size: int
    clusters: Clusters
    labels: np.ndarray
    silhouette: float


def worst_jaccard(
    sample: np.ndarray, candidate: Candidate, search: StructureSearch, margin: float
) -> float:
    """Mean Jaccard of each cluster with its best match over bootstraps, minimum over clusters."""
    n, k = len(sample), candidate.clusters.count
    hopeless = search.stability_floor + margin - 0.15
    scores = np.empty((search.n_bootstraps, k))  # (bootstrap, cluster)
    for draw in range(search.n_bootstraps):
        rng = np.random.default_rng([search.random_state, k, draw])
        drawn = rng.integers(0, n, n)
        seed = int(rng.integers(2**31))
        rows, weights = np.unique(drawn, return_counts=True)
        if candidate.algorithm == "kmeans":
            centres, _ = kmeans(sample[rows], k, seed, 3, weights.astype(float))
            again = Clusters("kmeans", centres, np.arange(k))
        else:
            # Copies of a point would look like a dense core to HDBSCAN: each row enters once.
            taken = rows if candidate.algorithm == "hdbscan" else drawn
            refit = fit_clusters(sample[taken], candidate.algorithm, candidate.size, seed)
            if refit is None:
                scores[draw] = 0.0
                continue
            again = refit
        labels = again.labels(sample[rows])
        scores[draw] = jaccard_matrix(candidate.labels[rows], labels, k, again.count).max(axis=1)
        if draw + 1 == MAX_MISSES and scores[:MAX_MISSES].mean(axis=0).min() < hopeless:
            return float(scores[:MAX_MISSES].mean(axis=0).min())
    return float(scores.mean(axis=0).min())


def beats_clouds(
    sample: np.ndarray,
    candidate: Candidate,
    search: StructureSearch,
    discrete: Sequence[tuple[int, int]],
    *,
    every: bool,
) -> bool:
    """Whether the silhouette is above that of every cloud, or above their mean."""
    k, total = candidate.clusters.count, 0.0
    for draw in range(REFERENCE_DRAWS):
        cloud = _cloud(sample, discrete, np.random.default_rng([search.random_state, k, draw, 7]))
        centres, _ = kmeans(cloud, k, draw, 3)
        labels = Clusters("kmeans", centres, np.arange(k)).labels(cloud)
        score = silhouette(distances(cloud), labels, k)
        if every and score >= candidate.silhouette:
            return False
        total += score
    return candidate.silhouette > total / REFERENCE_DRAWS


def _cloud(
    sample: np.ndarray, discrete: Sequence[tuple[int, int]], rng: np.random.Generator
) -> np.ndarray:
    """Draw one cloud: normal numbers with their covariance, categories shuffled by feature."""
    n, width = sample.shape
    cloud = np.empty_like(sample)
    numeric = np.ones(width, dtype=bool)
    for start, stop in discrete:
        numeric[start:stop] = False
        cloud[:, start:stop] = sample[rng.permutation(n), start:stop]
    if numeric.any():
        block = sample[:, numeric]
        covariance = np.atleast_2d(np.cov(block.T)) + 1e-9 * np.eye(block.shape[1])
        root = np.linalg.cholesky(covariance)
        cloud[:, numeric] = rng.normal(size=block.shape) @ root.T + block.mean(axis=0)
    return cloud


def jaccard_matrix(first: np.ndarray, second: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Jaccard of every group of `first` with every group of `second` over the same customers."""
    shared = np.bincount(first * columns + second, minlength=rows * columns).reshape(rows, columns)
    union = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :] - shared
    matrix: np.ndarray = shared / np.maximum(union, 1)
    return matrix


def distances(values: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    matrix: np.ndarray = cdist(values, values)
    return matrix


def silhouette(pairwise: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Mean silhouette (Rousseeuw 1987) from distances (customer, customer)."""
    sizes = np.bincount(labels, minlength=k)
    if (sizes == 0).any():
        return -1.0
    rows = np.arange(len(labels))
    sums = pairwise @ np.eye(k)[labels]  # (customer, cluster)
    own = sizes[labels]
    inside = sums[rows, labels] / np.maximum(own - 1, 1)
    means = sums / sizes
    means[rows, labels] = np.inf
    outside = means.min(axis=1)
    widest = np.maximum(np.maximum(inside, outside), 1e-300)
    scores = np.where(own > 1, (outside - inside) / widest, 0.0)
    return float(scores.mean())
