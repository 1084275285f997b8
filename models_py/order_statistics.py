"""Order statistics of many rows of draws in machine code, without sorting them.

Add here what is read off draws by rank and has to be fast.
Which levels are published is settled in `posterior`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

_OPTIONS = {"nogil": True, "error_model": "numpy"}


def kept(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at first use and keep the code beside its source, else in the user's cache.

    Where neither can be written, each process compiles anew. The code does not hold Python's lock.
    """
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no place to keep code
        return njit(**_OPTIONS)(function)


@njit(**_OPTIONS)
def _select(values, low, high, rank):  # type: ignore[no-untyped-def]
    """Hoare's selection: values[rank] becomes right within low to high, smaller ones before it."""
    while high > low:
        pivot = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while values[right] > pivot:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if rank <= right:
            high = right
        elif rank >= left:
            low = left
        else:
            return


def _order_statistics(draws, ranks, found):  # type: ignore[no-untyped-def]
    """See `order_statistics`; False where a row holds NaN (or infinities of both signs)."""
    size, middle = draws.shape[1], len(ranks) // 2
    values = np.empty(size)
    for row in range(draws.shape[0]):
        # Negative ones to the front, positive ones to the back: zeros, often most, stay untouched.
        start, stop, total = 0, size, 0.0
        for value in draws[row]:
            total += value
            # Written without asking, kept if positive: a branch would often be mispredicted.
            values[stop - 1] = value
            stop -= value > 0.0
            if value < 0.0:
                values[start] = value
                start += 1
        if math.isnan(total):
            return False
        for number in range(len(ranks)):
            # From the middle outwards: each selection narrows the next.
            j = middle - number if number <= middle else number
            rank, low, high = ranks[j], 0, size - 1
            if j < middle:
                high = ranks[j + 1] - 1
            elif j > middle:
                low = ranks[j - 1] + 1
            if start <= rank < stop:
                found[row, j] = 0.0
                continue
            if rank < start:
                high = min(high, start - 1)
            else:
                low = max(low, stop)
            _select(values, low, high, rank)
            found[row, j] = values[rank]
    return True


_compiled = kept(_order_statistics)


def order_statistics(draws: np.ndarray, ranks: np.ndarray) -> np.ndarray | None:
    """The values at `ranks` of each row, as `np.sort(draws, axis=1)[:, ranks]` would give.

    Parameters
    ----------
    draws : ndarray of float64 (row, draw), contiguous
    ranks : ndarray of int64
        Ascending, from 0, none twice.

    Returns
    -------
    ndarray (row, rank), or None when there is NaN, which has no rank.
    """
    found = np.empty((len(draws), len(ranks)))
    return found if _compiled(draws, ranks, found) else None
