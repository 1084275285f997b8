"""How a customer differs from the comparable ones who are worth more, in words.

Add here the words for a feature, with a place for the customer's number and one for the peers'.
How far a feature is apart is measured in `comparison`; names of micro-segments live in `naming`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models_py.segmentation.naming import RHYTHM_FEATURE

WORDS: dict[str, str] = {
    "average_items_count": "{} items an order, peers {}",
    "average_order_amount": "spends {} an order, peers {}",
    "brands_count": "buys {} brands, peers {}",
    "categories_count": "buys in {} categories, peers in {}",
    "discount_share": "{} of the amount is discount, peers {}",
    "online_order_share": "{} of orders online, peers {}",
    "orders_count": "{} orders so far, peers {}",
    "purchase_days_count": "bought on {} days, peers on {}",
    "purchase_days_365d_count": "bought on {} days of the last year, peers on {}",
    "recency_days": "last bought {} days ago, peers {}",
    "refund_share": "sends back {} of the amount, peers {}",
    "stores_count": "visits {} stores, peers {}",
    "top_category_share": "{} in one category, peers {}",
    "web_sessions_90d_count": "{} web visits in 90 days, peers {}",
    "weekend_order_share": "{} of orders at weekends, peers {}",
    RHYTHM_FEATURE: "buys every {} days, peers every {}",
}
NOTABLE = 0.5  # standard deviations of the stage
TOLD = 3


def worded(
    apart: np.ndarray, own: np.ndarray, peers: np.ndarray, told: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The features that differ most, told in order; of equals the one named first.

    Parameters
    ----------
    apart : ndarray (customer, feature)
        Peers minus own in standard deviations; 0 where nothing is to be told.
    own, peers : ndarray (customer, feature)
        The two numbers in the unit of the feature.
    told : sequence of str

    Returns
    -------
    leading attribute and words (customer,), None where no feature is apart by `NOTABLE` or more.
    """
    size = len(apart)
    texts = np.full(size, None, dtype=object)
    leading = np.full(size, None, dtype=object)
    order = np.argsort(-np.round(np.abs(apart), 9), axis=1, kind="stable")[:, :TOLD]
    for rank in range(order.shape[1]):
        for place, name in enumerate(told):
            rows = np.flatnonzero((order[:, rank] == place) & (np.abs(apart[:, place]) >= NOTABLE))
            if not len(rows):
                continue
            said = _say(name, own[rows, place], peers[rows, place])
            texts[rows] = said if rank == 0 else texts[rows] + "; " + said
            if rank == 0:
                leading[rows] = name
    return leading, texts


def _say(name: str, own: np.ndarray, peers: np.ndarray) -> np.ndarray:
    """Fill the words of a feature; equal pairs of shown numbers are worded once."""
    plain = name.removesuffix("_count").removesuffix("_amount").removesuffix("_share")
    words = WORDS.get(name, f"{plain.replace('_', ' ')} {{}}, peers {{}}")
    if name.endswith("_share"):
        shown = [np.round(100 * values) for values in (own, peers)]
        end = " %"
    else:
        # Two figures are what a person compares: 2.4 and 5.1, 38 and 120.
        shown = [np.where(np.abs(v) < 10, np.round(v, 1), np.round(v)) for v in (own, peers)]
        end = ""
    pairs, place = np.unique(np.column_stack(shown), axis=0, return_inverse=True)
    said = [words.format(f"{a:g}{end}", f"{b:g}{end}") for a, b in pairs]
    return np.array(said, dtype=object)[place.ravel()]
