"""The gates a clustering must pass to be believed: apart from a cloud, stable under resampling.

Add here a measure of one clustering of one sample.
Which clusterings are tried, and which of those that pass is taken, is decided in `structure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models_py.segmentation.clusterers import Clusters, fit_clusters
from models_py.segmentation.lloyd import many_kmeans

MAX_MISSES = 15
"""Bootstraps after which a hopeless number of clusters is given up."""
REFERENCE_DRAWS = 20
RESTARTS = 10
"""Starts of k-means on a cloud, as many as on the customers: with fewer, clouds lost too easily."""
CLOUD_DEVIATIONS = 4.0
"""Standard deviations by which a new grouping must be above the mean of the clouds."""


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
    """Mean Jaccard of each cluster with its best match over bootstraps, minimum over clusters.

    After 15 bootstraps a grouping that is 0.15 below `stability_floor` plus `margin` is given up.
    """
    hopeless = search.stability_floor + margin - 0.15
    early = min(MAX_MISSES, search.n_bootstraps)
    scores = _bootstrap_jaccards(sample, candidate, search, 0, early)
    if scores.mean(axis=0).min() >= hopeless and early < search.n_bootstraps:
        later = _bootstrap_jaccards(sample, candidate, search, early, search.n_bootstraps)
        scores = np.concatenate([scores, later])
    return float(scores.mean(axis=0).min())


def _bootstrap_jaccards(
    sample: np.ndarray, candidate: Candidate, search: StructureSearch, first: int, last: int
) -> np.ndarray:
    """Jaccard of each cluster with its best match, shape (bootstrap, cluster)."""
    n, k = len(sample), candidate.clusters.count
    rng = np.random.default_rng([search.random_state, k, first])
    draws = [np.sort(rng.integers(0, n, n)) for _ in range(first, last)]
    counts = np.array([np.bincount(drawn, minlength=n) for drawn in draws], dtype=float)
    refits: list[Clusters | None]
    if candidate.algorithm == "kmeans":
        every = many_kmeans(sample, k, counts, 3, rng)
        refits = [Clusters("kmeans", centres, np.arange(k)) for centres in every]
    else:
        # Copies of a point would look like a dense core to HDBSCAN: each row enters once.
        once = candidate.algorithm == "hdbscan"
        refits = [
            fit_clusters(
                sample[np.unique(drawn) if once else drawn],
                candidate.algorithm,
                candidate.size,
                int(rng.integers(2**31)),
            )
            for drawn in draws
        ]
    scores = np.zeros((len(draws), k))
    for number, refit in enumerate(refits):
        if refit is not None:
            rows = np.flatnonzero(counts[number])
            found = refit.labels(sample[rows])
            shared = jaccard_matrix(candidate.labels[rows], found, k, refit.count)
            scores[number] = shared.max(axis=1)
    return scores


def beats_clouds(
    sample: np.ndarray,
    candidate: Candidate,
    search: StructureSearch,
    discrete: Sequence[tuple[int, int]],
    *,
    every: bool,
) -> bool:
    """Whether the silhouette is above that of every cloud and far from them, or above their mean.

    Beating all of 20 alone would find structure in one cloud of 21, for every number of clusters.
    """
    k = candidate.clusters.count
    scores = np.empty(REFERENCE_DRAWS)
    for draw in range(REFERENCE_DRAWS):
        rng = np.random.default_rng([search.random_state, k, draw, 7])
        cloud = _cloud(sample, discrete, rng)
        centres = many_kmeans(cloud, k, np.ones((1, len(cloud))), RESTARTS, rng)[0]
        labels = Clusters("kmeans", centres, np.arange(k)).labels(cloud)
        score = silhouette(distances(cloud), labels, k)
        if every and score >= candidate.silhouette:
            return False
        scores[draw] = score
    far = CLOUD_DEVIATIONS * scores.std(ddof=1) if every else 0.0
    return bool(candidate.silhouette > scores.mean() + far)


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
