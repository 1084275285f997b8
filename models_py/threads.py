"""Work on all processors of this process, results in order.

Add here how independent pieces of heavy array work share processors; NumPy and compiled code let go
of Python's lock, so threads are enough. What a piece is, is said by the caller.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """`work` on each piece; results in the order of the pieces, whoever was first."""
    with ThreadPoolExecutor(processors()) as pool:
        yield from pool.map(work, pieces)
