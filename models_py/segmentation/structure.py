"""Whether a layer has clusters, how many, and where: told from a cloud, stable, well apart.

Add here a change of what is tried, in which order, and of what stands at a refit.
Algorithms live in `clusterers`, what a clustering must pass in `gates`, keys in `alignment`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models_py.segmentation.clusterers import Clusters, fit_clusters, one_thread
from models_py.segmentation.gates import (
    Candidate,
    StructureSearch,
    beats_clouds,
    distances,
    silhouette,
    worst_jaccard,
)

ENTRY_MARGIN = 0.10
"""A new grouping must come back this much better than one that stands: Hennig's 0.85 and 0.75."""
SWITCH_GAIN = 0.2
"""Silhouette by which a new grouping must be better than one that stands."""

FOUND = "clusters found"
NOT_STABLE = "no structure: the worst cluster dissolves in bootstraps"
NO_CLUSTERS = "no structure: not told from one cloud"
TOO_FEW = "one group: fewer customers than twice the floor"
NO_FEATURE = "one group: every feature is constant or mostly missing"
NOT_KNOWN = "left out: nothing is known of any customer"
NOT_ASKED = "left out: config names other stages"
REASONS = (FOUND, NOT_STABLE, NO_CLUSTERS, TOO_FEW, NO_FEATURE, NOT_KNOWN, NOT_ASKED)
"""Why a layer has the clusters it has; stored as the position in this tuple, so append only."""


@dataclass(frozen=True)
class Structure:
    """The outcome for one stage and layer.

    `worst_jaccard` and `silhouette` belong to the chosen clusters; with one cluster, worst_jaccard
    is 1, silhouette 0, and `reason` says why there is no more.
    """

    clusters: Clusters
    worst_jaccard: float
    silhouette: float
    reason: str


def find_structure(
    values: np.ndarray,
    search: StructureSearch,
    algorithm: str = "kmeans",
    discrete: Sequence[tuple[int, int]] = (),
    standing: tuple[str, np.ndarray] | None = None,
) -> Structure:
    """Choose the clusters of `values` (customer, column) and place them.

    Candidates are tried from the highest silhouette down, and the first that passes three gates is
    taken: its smallest cluster holds the floor; its silhouette beats every one of 20 samples of one
    cloud, and their mean by 4 standard deviations (Liu et al. 2008, *SigClust*: cutting one long
    cloud in two is stable at 0.98 and still no structure); its worst cluster has a mean bootstrap
    Jaccard of at least `stability_floor` (Hennig 2007, *Cluster-wise assessment of cluster
    stability*, 0.75). The order is cheap and the outcome that of trying all: silhouettes cost
    least, bootstraps most. The cloud is normal with the covariance of the numeric columns;
    categories are shuffled, each feature by itself, since being a category is no cluster.

    Gates have hysteresis, so that a grouping does not come and go with the sample: a new one must
    come back at `stability_floor` + 0.1, one that stands at `stability_floor`, and need only beat
    the mean of the clouds; another replaces it only with a silhouette better by 0.2. Sources of
    work are bounded samples, evenly spaced over the rows, so the cost stops growing with customers.

    Parameters
    ----------
    values : ndarray (customer, column)
    search : StructureSearch
    algorithm : str
        One of `specs.ALGORITHMS`.
    discrete : sequence of (start, stop)
        Columns of each categorical feature.
    standing : (algorithm, labels), optional
        What the fit before says of the same rows; labels (customer,), -1 for none.
    """
    n, width = values.shape
    if width == 0:
        return single(values, NO_FEATURE)
    if n < 2 * search.floor:
        return single(values, TOO_FEW)
    sample = evenly_spaced(values, search.stability_sample)
    with one_thread():
        pairwise = distances(sample)
        stands = _standing(values, sample, pairwise, search, discrete, standing)
        reason = NO_CLUSTERS
        for candidate in _candidates(sample, pairwise, n, search, algorithm):
            if stands and candidate.silhouette < stands.silhouette + SWITCH_GAIN:
                break
            if not beats_clouds(sample, candidate, search, discrete, every=True):
                continue
            reason = NOT_STABLE
            worst = worst_jaccard(sample, candidate, search, ENTRY_MARGIN)
            if worst >= min(search.stability_floor + ENTRY_MARGIN, 0.99):
                return _placed(values, candidate, search, worst)
    return stands or single(values, reason)


def evenly_spaced(values: np.ndarray, size: int) -> np.ndarray:
    """Take at most `size` rows, evenly spaced, without chance."""
    if len(values) <= size:
        return values
    rows: np.ndarray = values[np.linspace(0, len(values) - 1, size).astype(int)]
    return rows


def single(values: np.ndarray, reason: str) -> Structure:
    """One cluster, at the mean."""
    centre = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
    return Structure(Clusters("kmeans", centre[None, :], np.zeros(1, dtype=int)), 1.0, 0.0, reason)


def _candidates(
    sample: np.ndarray, pairwise: np.ndarray, n: int, search: StructureSearch, algorithm: str
) -> Iterator[Candidate]:
    """Clusterings whose smallest cluster holds the floor, best silhouette first."""
    tried = ("kmeans", "gaussian_mixture", "hdbscan") if algorithm == "auto" else (algorithm,)
    found: list[Candidate] = []
    for name in tried:
        for size in _sizes(name, n, len(sample), search):
            clusters = fit_clusters(sample, name, size, search.random_state)
            if clusters is None or clusters.count > search.max_clusters:
                continue
            labels = clusters.labels(sample)
            smallest = int(np.bincount(labels, minlength=clusters.count).min())
            if smallest * n / len(sample) >= search.floor and smallest >= 2:
                score = silhouette(pairwise, labels, clusters.count)
                found.append(Candidate(name, size, clusters, labels, score))
    yield from sorted(found, key=lambda one: (-one.silhouette, one.clusters.count))


def _sizes(name: str, n: int, sampled: int, search: StructureSearch) -> Iterator[int]:
    if name != "hdbscan":
        yield from range(2, search.max_clusters + 1)
        return
    least = max(5, int(np.ceil(search.floor * sampled / n)))
    yield from (size for size in (least, 2 * least, 4 * least) if 2 * size <= sampled)


def _standing(
    values: np.ndarray,
    sample: np.ndarray,
    pairwise: np.ndarray,
    search: StructureSearch,
    discrete: Sequence[tuple[int, int]],
    standing: tuple[str, np.ndarray] | None,
) -> Structure | None:
    """The clusters of the fit before on today's customers, if they pass the easier gates."""
    if standing is None:
        return None
    name, before = standing
    count = int(before.max()) + 1
    sizes = np.bincount(before[before >= 0], minlength=count)
    if count < 2 or count > search.max_clusters or sizes.min() < 2:
        return None
    start = np.array([values[before == cluster].mean(axis=0) for cluster in range(count)])
    size = count
    if name == "hdbscan":
        size = max(5, int(np.ceil(search.floor * len(sample) / len(values))))
    clusters = fit_clusters(sample, name, size, search.random_state, start)
    if clusters is None or clusters.count != count:
        return None
    labels = clusters.labels(sample)
    if np.bincount(labels, minlength=count).min() * len(values) / len(sample) < search.floor / 2:
        return None
    score = silhouette(pairwise, labels, count)
    candidate = Candidate(name, size, clusters, labels, score)
    if not beats_clouds(sample, candidate, search, discrete, every=False):
        return None
    worst = worst_jaccard(sample, candidate, search, 0.0)
    if worst < search.stability_floor:
        return None
    return _placed(values, candidate, search, worst, start)


def _placed(
    values: np.ndarray,
    candidate: Candidate,
    search: StructureSearch,
    worst: float,
    start: np.ndarray | None = None,
) -> Structure:
    """Place the chosen clusters by a larger sample than the one they were chosen on."""
    fitted = evenly_spaced(values, search.fit_sample)
    clusters = candidate.clusters
    if len(fitted) > search.stability_sample and candidate.algorithm != "hdbscan":
        begin = clusters.centres if start is None else start
        again = fit_clusters(
            fitted, candidate.algorithm, candidate.size, search.random_state, begin
        )
        clusters = again or clusters
    return Structure(clusters, worst, candidate.silhouette, FOUND)
