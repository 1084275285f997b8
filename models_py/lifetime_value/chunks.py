"""Many customers on all processors, some at a time, so that memory stays flat.

Add here how work on a batch is cut and put together again.
What is done with a chunk is said by the caller (`value`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models_py.lifetime_value.predictive import Histories
from models_py.lifetime_value.results import Totals
from models_py.threads import in_order

# A prediction of the whole batch holds the draws of as many such chunks as there are processors:
# 5 MB each with 400 draws and four horizons.
CHUNK_CUSTOMERS = 128

Summary = dict[str, np.ndarray]


def in_chunks(
    histories: Histories, work: Callable[[Histories], tuple[Summary, Totals]]
) -> tuple[Summary, Totals]:
    """Summaries of all customers in their order, and the sum of their totals.

    Customers of one state are worked on together. Sums are exact, so that it does not matter how
    many threads there are.
    """
    together, order = histories.by_state()
    # The first chunk alone compiles, where nothing is kept, and names wrong settings plainly.
    first, totals = work(together.part(0, CHUNK_CUSTOMERS))
    summaries = [first]
    starts = range(CHUNK_CUSTOMERS, len(order), CHUNK_CUSTOMERS)
    parts = (together.part(start, start + CHUNK_CUSTOMERS) for start in starts)
    for summary, sums in in_order(work, parts):
        totals = totals + sums
        summaries.append(summary)
    joined = {name: np.concatenate([part[name] for part in summaries]) for name in first}
    back = np.argsort(order)
    return {name: values[back] for name, values in joined.items()}, totals
