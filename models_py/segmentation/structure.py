"""Whether a layer has clusters, how many, and where: stability first, silhouette second.

Add here another clustering algorithm or another test of structure.
Names, keys and the matching of refits live in `naming`, `microsegments` and `alignment`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

MAX_MISSES = 15
"""Bootstraps after which a hopeless number of clusters is given up."""
REFERENCE_DRAWS = 20

FOUND = "clusters found"
NOT_STABLE = "no structure: the worst cluster dissolves in bootstraps"
NO_CLUSTERS = "no structure: not told from one normal cloud"
TOO_FEW = "one group: fewer customers than twice the floor"
NO_FEATURE = "one group: every feature is constant or mostly missing"
REASONS = (FOUND, NOT_STABLE, NO_CLUSTERS, TOO_FEW, NO_FEATURE)
"""Why a layer has the clusters it has; stored as the position in this tuple, so append only."""


@dataclass(frozen=True)
class Structure:
    """The outcome for one stage and layer.

    `centres` has shape (cluster, used feature), in canonical order: highest first feature first.
    `worst_jaccard` and `silhouette` belong to the chosen number of clusters; with one cluster,
    worst_jaccard is 1, silhouette 0, and `reason` says why there is no more.
    """

    centres: np.ndarray
    worst_jaccard: float
    silhouette: float
    reason: str


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


def find_structure(values: np.ndarray, search: StructureSearch) -> Structure:
    """Choose the number of clusters of `values` (customer, feature) and place their centres.

    A number of clusters is admitted when its smallest cluster holds the floor and its worst one
    has a mean bootstrap Jaccard of at least `stability_floor` (Hennig 2007, *Cluster-wise
    assessment of cluster stability*, 0.75 for a stable cluster). Among these the highest
    silhouette wins, if it beats every one of 20 samples of a single normal cloud with the same
    covariance (Liu et al. 2008, *SigClust*): cutting one long cloud in two is stable at 0.98 and
    still no structure. Otherwise there is one cluster. Sources of work are bounded samples, evenly
    spaced over the rows, so the cost stops growing with customers.
    """
    n, width = values.shape
    if width == 0:
        return _single(values, NO_FEATURE)
    if n < 2 * search.floor:
        return _single(values, TOO_FEW)
    sample = evenly_spaced(values, search.stability_sample)
    with _one_thread():
        admitted = list(_admitted(sample, n, search))
        for k, worst, silhouette in sorted(admitted, key=lambda row: (-row[2], row[0])):
            if silhouette > _reference_silhouette(sample, k, search.random_state):
                fitted = evenly_spaced(values, search.fit_sample)
                centres, _ = _kmeans(fitted, k, search.random_state, n_init=10)
                return Structure(canonical(centres), worst, silhouette, FOUND)
    return _single(values, NO_CLUSTERS if admitted else NOT_STABLE)


def squared_distances(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances (customer, cluster), summed feature by feature.

    A matrix product would be faster, but its last bits depend on how many rows share the batch.
    """
    total = np.zeros((len(values), len(centres)))
    for feature in range(values.shape[1]):
        total += (values[:, feature, None] - centres[None, :, feature]) ** 2
    return total


def canonical(centres: np.ndarray) -> np.ndarray:
    """Order centres by their first feature, highest first, then by the others."""
    order = sorted(range(len(centres)), key=lambda row: tuple(-centres[row]))
    return centres[order]


def evenly_spaced(values: np.ndarray, size: int) -> np.ndarray:
    """Take at most `size` rows, evenly spaced, without chance."""
    if len(values) <= size:
        return values
    rows: np.ndarray = values[np.linspace(0, len(values) - 1, size).astype(int)]
    return rows


def _admitted(
    sample: np.ndarray, n: int, search: StructureSearch
) -> Iterator[tuple[int, float, float]]:
    from sklearn.metrics import silhouette_score

    for k in range(2, search.max_clusters + 1):
        _, labels = _kmeans(sample, k, search.random_state, n_init=10)
        smallest = int(np.bincount(labels, minlength=k).min())
        if smallest * n / len(sample) < search.floor or smallest < 2:
            continue
        worst = _worst_jaccard(sample, labels, k, search)
        if worst >= search.stability_floor:
            yield k, worst, float(silhouette_score(sample, labels))


def _worst_jaccard(
    sample: np.ndarray, labels: np.ndarray, k: int, search: StructureSearch
) -> float:
    """Mean Jaccard of each cluster with its best match over bootstraps, minimum over clusters."""
    n = len(sample)
    scores = np.empty((search.n_bootstraps, k))  # (bootstrap, cluster)
    for draw in range(search.n_bootstraps):
        rng = np.random.default_rng([search.random_state, k, draw])
        weights = np.bincount(rng.integers(0, n, n), minlength=n)
        drawn = weights > 0
        seed = int(rng.integers(2**31))
        _, again = _kmeans(sample[drawn], k, seed, n_init=3, weights=weights[drawn].astype(float))
        scores[draw] = jaccard_matrix(labels[drawn], again, k, k).max(axis=1)
        if draw + 1 == MAX_MISSES and scores[:MAX_MISSES].mean(axis=0).min() < (
            search.stability_floor - 0.15
        ):
            return float(scores[:MAX_MISSES].mean(axis=0).min())
    return float(scores.mean(axis=0).min())


def jaccard_matrix(first: np.ndarray, second: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Jaccard of every group of `first` with every group of `second` over the same customers."""
    shared = np.bincount(first * columns + second, minlength=rows * columns).reshape(rows, columns)
    union = shared.sum(axis=1)[:, None] + shared.sum(axis=0)[None, :] - shared
    matrix: np.ndarray = shared / np.maximum(union, 1)
    return matrix


def _reference_silhouette(sample: np.ndarray, k: int, random_state: int) -> float:
    """Return the best silhouette with k clusters over samples of one normal cloud."""
    from sklearn.metrics import silhouette_score

    width = sample.shape[1]
    covariance = np.atleast_2d(np.cov(sample.T)) + 1e-9 * np.eye(width)
    root = np.linalg.cholesky(covariance)
    best = -1.0
    for draw in range(REFERENCE_DRAWS):
        rng = np.random.default_rng([random_state, k, draw, 7])
        cloud = rng.normal(size=sample.shape) @ root.T
        _, labels = _kmeans(cloud, k, draw, n_init=3)
        best = max(best, float(silhouette_score(cloud, labels)))
    return best


def _kmeans(
    values: np.ndarray, k: int, seed: int, n_init: int, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import KMeans

    model = KMeans(k, n_init=n_init, max_iter=100, random_state=seed)
    model.fit(values, sample_weight=weights)
    return model.cluster_centers_, model.labels_


def _single(values: np.ndarray, reason: str) -> Structure:
    centre = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
    return Structure(centre[None, :], 1.0, 0.0, reason)


@contextmanager
def _one_thread() -> Iterator[None]:
    # Partial sums of two threads arrive in either order: the same data gave other last bits.
    # Only libraries loaded by now are limited: without this import the first fit of a process ran
    # on all threads, and took 52 s instead of 19 s on a busy machine.
    import sklearn.cluster
    import sklearn.metrics  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        yield
