"""Which source records are the same person, and how well a linkage agrees with the truth.

Add a way to link records, or a figure by which ways are compared, as a module of its own.
Normalising identifiers is SQL, and who survives in a golden record is decided there too.
"""

from models_py.record_linkage.clusters import cluster_pairs
from models_py.record_linkage.exact import CUSTOMERS_MAP_COLUMNS, SINGLETON, ExactLinkage
from models_py.record_linkage.keys import RECORD_KEY
from models_py.record_linkage.linking import link_persons
from models_py.record_linkage.probabilistic import PAIR_COLUMNS, RecordLinkage
from models_py.record_linkage.scores import cluster_scores, pairwise_scores

__all__ = [
    "CUSTOMERS_MAP_COLUMNS",
    "PAIR_COLUMNS",
    "RECORD_KEY",
    "SINGLETON",
    "ExactLinkage",
    "RecordLinkage",
    "cluster_pairs",
    "cluster_scores",
    "link_persons",
    "pairwise_scores",
]
