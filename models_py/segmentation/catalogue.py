"""The micro-segments of a fit or of a date as a table: keys, names, patterns, sizes.

Add here a column that a micro-segment has by itself. Names are made in `naming`, and what sets a
segment apart on a date is told in `profiles` and `descriptions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models_py.segmentation.cells import OUT, Cell, microsegment_key, pattern_text
from models_py.segmentation.naming import microsegment_names


def catalogue(
    cells: Mapping[str, Cell], layers: Sequence[str], assigned: pd.DataFrame | None = None
) -> pd.DataFrame:
    """List the micro-segments, with the sizes of the fit or those of `assigned`.

    Parameters
    ----------
    cells : mapping of microsegment_key to Cell
        Those of the fit.
    layers : sequence of str
    assigned : DataFrame, optional
        The answer of `Microsegmentation.microsegments`. A stage in which nobody was at the fit is
        one more micro-segment, so that sizes sum to everybody.

    Returns
    -------
    DataFrame
        microsegment_key, stage, microsegment_name, pattern, fallback_level, customers_count; one
        row per cell, ordered by key.
    """
    listed = dict(cells)
    if assigned is not None:
        whole = (OUT,) * len(layers)
        for stage in sorted(set(map(str, assigned["stage"])) - {c.stage for c in cells.values()}):
            key = microsegment_key(stage, whole)
            listed[key] = Cell(key, stage, whole, 0)
    names = microsegment_names(listed.values(), layers)
    ordered = sorted(listed.values(), key=lambda cell: cell.key)
    table = pd.DataFrame(
        {
            "microsegment_key": [cell.key for cell in ordered],
            "stage": [cell.stage for cell in ordered],
            "microsegment_name": [names[cell.key] for cell in ordered],
            "pattern": [pattern_text(layers, cell.pattern) for cell in ordered],
            "fallback_level": [cell.fallback_level for cell in ordered],
            "customers_count": [cell.customers_count for cell in ordered],
        }
    )
    if assigned is not None:
        sizes = assigned.groupby("microsegment_key").size()
        counted = table["microsegment_key"].map(sizes).fillna(0)
        table["customers_count"] = counted.astype(np.int64)
    return table
