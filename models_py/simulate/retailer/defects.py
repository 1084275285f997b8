"""Planted defects: broken values, missing keys, exact duplicates and late rows, each counted.

Add here a way in which a delivered row can be wrong.
Ordinary mess within the contract (typos, changed e-mails) stays out: see ``record_fields``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py.simulate.retailer.settings import DUPLICATE_RATE, LATE_RATE, MALFORMED_RATE


@dataclass(frozen=True)
class Breakage:
    """A column whose value is replaced by one that breaks the contract; None empties it."""

    defect: str
    column: str
    value: str | None


BREAKAGES: dict[str, tuple[Breakage, ...]] = {
    "customer_records": (
        Breakage("missing_key", "source_record_id", None),
        Breakage("impossible_date", "created_at", "31-02-2024"),
    ),
    "orders": (
        Breakage("missing_key", "order_id", None),
        Breakage("impossible_date", "ordered_at", "31-02-2024"),
        Breakage("not_a_number", "gross_amount", "abc"),
        Breakage("negative_amount", "gross_amount", "-19.90"),
        Breakage("unknown_currency", "currency_code", "XXX"),
    ),
    "order_items": (
        Breakage("missing_key", "order_id", None),
        Breakage("not_a_number", "net_amount", "abc"),
    ),
    "refunds": (
        Breakage("impossible_date", "refunded_at", "31-02-2024"),
        Breakage("not_a_number", "refund_amount", "abc"),
    ),
    "web_events": (
        Breakage("missing_key", "event_id", None),
        Breakage("impossible_date", "occurred_at", "31-02-2024"),
    ),
    "message_events": (Breakage("impossible_date", "occurred_at", "31-02-2024"),),
}
LATE_SHAPES = ("orders", "refunds", "web_events")
# Late rows land this share of the table later, duplicates at most `_DUPLICATE_REACH` rows later.
_LATE_SHARE = (0.03, 0.06)
_DUPLICATE_REACH = 400


def plant(
    shape: str, frame: pd.DataFrame, breakable: np.ndarray, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[tuple[str, str, int]]]:
    """Break, duplicate and delay rows of a table; no row suffers twice.

    Parameters
    ----------
    shape : str
    frame : DataFrame
        Source table in order of landing.
    breakable : ndarray of int
        Rows whose loss breaks nothing else.
    rng : Generator

    Returns
    -------
    frame : DataFrame
        With a fresh index, in the new order of landing.
    counts : list of (shape, defect, rows)
    """
    count = len(frame)
    chosen = rng.permutation(breakable)
    counts: list[tuple[str, str, int]] = []
    used = 0
    for breakage in BREAKAGES.get(shape, ()):
        size = max(1, round(MALFORMED_RATE * count))
        rows = np.sort(chosen[used : used + size])
        used += size
        column = np.array(frame[breakage.column].tolist(), dtype=object)
        column[rows] = breakage.value
        frame = frame.assign(**{breakage.column: pd.array(column, dtype="str")})
        counts.append((shape, breakage.defect, len(rows)))

    whole = np.ones(count, dtype=bool)
    whole[chosen[:used]] = False
    rest = rng.permutation(np.flatnonzero(whole))
    copies = max(1, round(DUPLICATE_RATE * count))
    copied = np.sort(rest[:copies])
    counts.append((shape, "duplicate", len(copied)))
    position = np.arange(count, dtype=float)
    if shape in LATE_SHAPES:
        late = rest[copies:]
        late = late[late < 0.9 * count][: max(1, round(LATE_RATE * count))]
        position[late] += np.ceil(count * rng.uniform(*_LATE_SHARE, len(late))) + 0.3
        counts.append((shape, "late", len(late)))
    copy_position = position[copied] + rng.integers(1, _DUPLICATE_REACH, len(copied)) + 0.6
    source = np.concatenate([np.arange(count), copied])
    order = np.argsort(np.concatenate([position, copy_position]), kind="stable")
    return frame.iloc[source[order]].reset_index(drop=True), counts
