"""The clustering algorithms, and the fitted clusters that customers are assigned to.

Add here an algorithm: how it is fitted, and what must be stored to assign with it later.
Whether its clusters are believed, and how many there are, is decided in `structure`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from models_py.segmentation.lloyd import many_kmeans

SMALL = 5_000
"""Customers up to which many starts run at once."""
EXEMPLARS = 12
"""Points kept per cluster of HDBSCAN, so that clusters of any shape can be assigned to."""


@dataclass(frozen=True)
class Clusters:
    """Fitted clusters, in canonical order: highest first column first.

    Attributes
    ----------
    algorithm : str
    centres : ndarray (prototype, column)
    owner : ndarray (prototype,)
        The cluster of each prototype: one each, several for HDBSCAN.
    factors : ndarray (cluster, column, column) or None
        Gaussian mixture: upper triangular U with precision U U'.
    log_weights : ndarray (cluster,) or None
        Gaussian mixture: log of weight times sqrt(determinant of the precision).
    """

    algorithm: str
    centres: np.ndarray
    owner: np.ndarray
    factors: np.ndarray | None = None
    log_weights: np.ndarray | None = None

    @property
    def count(self) -> int:
        return int(self.owner.max()) + 1

    def distances(self, values: np.ndarray) -> np.ndarray:
        """Distance of customers to clusters, shape (customer, cluster); the least one wins.

        k-means: Euclidean to the centre. HDBSCAN: to the nearest exemplar. Gaussian mixture:
        square root of -2 log(weight x density), shifted so that the most likely point of the
        mixture is at 0; the nearest cluster is the most probable one. Summed column by column: a
        matrix product would be faster, but its last bits depend on how many rows share the batch.
        """
        if self.factors is not None and self.log_weights is not None:
            squares = _mahalanobis(values, self.centres, self.factors)
            squares += 2.0 * (self.log_weights.max() - self.log_weights)
            return np.sqrt(squares)
        squares = squared_distances(values, self.centres)
        if len(self.owner) > self.count:
            nearest = np.full((len(values), self.count), np.inf)
            for prototype, cluster in enumerate(self.owner):
                np.minimum(nearest[:, cluster], squares[:, prototype], out=nearest[:, cluster])
            squares = nearest
        return np.sqrt(squares)

    def labels(self, values: np.ndarray) -> np.ndarray:
        """The nearest cluster of each customer."""
        nearest: np.ndarray = self.distances(values).argmin(axis=1)
        return nearest


def fit_clusters(
    values: np.ndarray, algorithm: str, size: int, seed: int, start: np.ndarray | None = None
) -> Clusters | None:
    """Fit one algorithm; None where it finds fewer than two clusters.

    Parameters
    ----------
    values : ndarray (customer, column)
    algorithm : str
        kmeans, gaussian_mixture or hdbscan.
    size : int
        Number of clusters; for HDBSCAN the least number of customers in one.
    seed : int
    start : ndarray (cluster, column), optional
        Centres to start from, beside random ones: a refit stays with clusters that stand unless
        others are clearly better (1 % of inertia).
    """
    if algorithm == "gaussian_mixture":
        return _fit_mixture(values, size, seed, start)
    if algorithm == "hdbscan":
        return _fit_hdbscan(values, size, seed)
    centres, inertia = kmeans(values, size, seed, 10)
    if start is not None:
        warm, warm_inertia = kmeans(values, size, seed, start)
        centres = warm if warm_inertia <= 1.01 * inertia else centres
    return canonical(Clusters("kmeans", centres, np.arange(size)))


def canonical(clusters: Clusters) -> Clusters:
    """Order clusters by the first column of their mean prototype, highest first."""
    count = clusters.count
    means = np.array([clusters.centres[clusters.owner == c].mean(axis=0) for c in range(count)])
    order = sorted(range(count), key=lambda row: tuple(-means[row]))
    rows = np.concatenate([np.flatnonzero(clusters.owner == cluster) for cluster in order])
    rank = np.argsort(order)
    return Clusters(
        clusters.algorithm,
        clusters.centres[rows],
        rank[clusters.owner[rows]],
        None if clusters.factors is None else clusters.factors[order],
        None if clusters.log_weights is None else clusters.log_weights[order],
    )


def squared_distances(values: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances (customer, prototype), summed column by column."""
    total = np.zeros((len(values), len(centres)))
    for column in range(values.shape[1]):
        total += (values[:, column, None] - centres[None, :, column]) ** 2
    return total


def kmeans(
    values: np.ndarray, size: int, seed: int, start: int | np.ndarray
) -> tuple[np.ndarray, float]:
    """Centres and inertia of the best of `start` random starts, or from the centres given."""
    from sklearn.cluster import KMeans

    if isinstance(start, int) and len(values) <= SMALL:
        # As the clouds are clustered that these are compared with: a better search on one side
        # found structure in 12 % of data sets without any.
        once = np.ones((1, len(values)))
        centres = many_kmeans(values, size, once, start, np.random.default_rng([seed, size]))[0]
        return centres, float(squared_distances(values, centres).min(axis=1).sum())
    if isinstance(start, int):
        model = KMeans(size, n_init=start, max_iter=100, random_state=seed)
    else:
        model = KMeans(size, init=start, n_init=1, max_iter=100, random_state=seed)
    model.fit(values)
    return model.cluster_centers_, float(model.inertia_)


def _fit_mixture(
    values: np.ndarray, size: int, seed: int, start: np.ndarray | None
) -> Clusters | None:
    from sklearn.mixture import GaussianMixture

    if start is None:
        start, _ = kmeans(values, size, seed, 3)
    # The floor under variances keeps a point mass, such as many zeros, from taking everything.
    model = GaussianMixture(
        size, reg_covar=0.02, means_init=start, random_state=seed, max_iter=100, tol=1e-3
    )
    model.fit(values)
    factors = model.precisions_cholesky_
    logs = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    return canonical(
        Clusters(
            "gaussian_mixture",
            model.means_,
            np.arange(size),
            factors,
            np.log(model.weights_) + logs,
        )
    )


def _fit_hdbscan(values: np.ndarray, size: int, seed: int) -> Clusters | None:
    from sklearn.cluster import HDBSCAN

    if len(values) < 2 * size:
        return None
    labels = (
        HDBSCAN(min_cluster_size=size, min_samples=min(10, size), copy=True).fit(values).labels_
    )
    count = int(labels.max()) + 1
    if count < 2:
        return None
    centres, owner = [], []
    for cluster in range(count):
        members = values[labels == cluster]
        exemplars, _ = kmeans(members, min(EXEMPLARS, len(np.unique(members, axis=0))), seed, 1)
        centres.append(exemplars)
        owner += [cluster] * len(exemplars)
    return canonical(Clusters("hdbscan", np.concatenate(centres), np.array(owner)))


def _mahalanobis(values: np.ndarray, centres: np.ndarray, factors: np.ndarray) -> np.ndarray:
    total = np.zeros((len(values), len(centres)))
    for cluster, factor in enumerate(factors):
        moved = values - centres[cluster]
        for column in range(values.shape[1]):
            part = np.zeros(len(values))
            for row in range(column + 1):
                part += moved[:, row] * factor[row, column]
            total[:, cluster] += part**2
    return total


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep numerical libraries on one thread, so that sums are added in one order."""
    # Partial sums of two threads arrive in either order: the same data gave other last bits.
    # Only libraries loaded by now are limited: without this import the first fit of a process ran
    # on all threads, and took 52 s instead of 19 s on a busy machine.
    import sklearn.cluster
    import sklearn.mixture  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        yield
