"""Many customers on all processors, some at a time, so that memory stays flat.

Add here how work on a batch is cut and put together again.
What is done with a chunk is said by the caller (`value`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from models_py.lifetime_value.predictive import Histories, processors
from models_py.lifetime_value.results import Totals

# A prediction of the whole batch holds the draws of two such chunks only, small enough to stay in
# the processor's cache.
CHUNK_CUSTOMERS = 64

Summary = dict[str, np.ndarray]


def in_chunks(
    histories: Histories, work: Callable[[Histories], tuple[Summary, Totals]]
) -> tuple[list[Summary], Totals]:
    """Summaries of all chunks in order, and the sum of their totals.

    Compiled code does not hold Python's lock, so threads are enough. Sums are exact, so that it
    does not matter how many there are.
    """
    # The first chunk alone compiles, where nothing is kept, and names wrong settings plainly.
    first, totals = work(histories.part(0, CHUNK_CUSTOMERS))
    summaries = [first]
    starts = range(CHUNK_CUSTOMERS, len(histories.x), CHUNK_CUSTOMERS)
    parts = (histories.part(start, start + CHUNK_CUSTOMERS) for start in starts)
    with ThreadPoolExecutor(processors()) as pool:
        for summary, sums in pool.map(work, parts):
            totals = totals + sums
            summaries.append(summary)
    return summaries, totals
