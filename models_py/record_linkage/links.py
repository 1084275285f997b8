"""What a link between two records is, as a row.

Add here a column that every kind of link carries.
Which links are followed is decided in ``resolve``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

LINK_COLUMNS = [
    "left",
    "right",
    "link_type",
    "match_rule",
    "match_probability",
    "match_weight",
    "is_linked",
    "refused_because",
]


def links_frame(
    left: np.ndarray,
    right: np.ndarray,
    link_type: str,
    rule: np.ndarray | str,
    rank: np.ndarray | int,
    probability: np.ndarray | float = 1.0,
    weight: np.ndarray | float = np.nan,
) -> pd.DataFrame:
    """Links that hold, in the columns of ``LINK_COLUMNS`` and the rank in which they are tried."""
    return pd.DataFrame(
        {
            "left": np.minimum(left, right).astype(np.int64),
            "right": np.maximum(left, right).astype(np.int64),
            "link_type": link_type,
            "match_rule": rule,
            "match_probability": probability,
            "match_weight": weight,
            "is_linked": True,
            "refused_because": None,
            "rank": rank,
        }
    )
