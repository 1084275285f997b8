"""Who can reach whom: connected components of records.

Add here what is true of any graph of records.
What makes an edge, and which edges are refused, stays with the modules that link.
"""

from __future__ import annotations

import numpy as np


def connected(left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """Number of the component of each of `count` nodes, given the ends of the edges (edge,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    labels: np.ndarray = connected_components(graph, directed=False)[1]
    return labels
