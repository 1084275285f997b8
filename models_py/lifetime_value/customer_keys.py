"""What randomness is keyed by: customers, seeds and purposes as 64-bit numbers.

Add here a way to key chance by who it concerns. Streams 1 to 3 are in `parameter_sets`,
`predictive`, `margins` and `backtest`, each beside what it is for.
Compiled random numbers are in `keyed_random`.
"""

from __future__ import annotations

import hashlib

import numpy as np


def keyed_generator(customer_id: str, random_state: int, stream: int = 0) -> np.random.Generator:
    """A generator that depends on the customer, the seed and the stream, and on nothing else.

    Stream 0 was that of futures, which now take the words of stream 2 by counter (`kernels`).

    The as-of date is left out on purpose: the same customer has the same random numbers on every
    date, so that a change of value between dates shows what was learned, not new dice.
    """
    key = np.array([key_of(customer_id), seed_of(random_state, stream)], dtype="uint64")
    return np.random.Generator(np.random.Philox(key=key))


def key_of(customer_id: str) -> int:
    """64 bits that stand for a customer, or for a pool."""
    digest = hashlib.blake2b(str(customer_id).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def seed_of(random_state: int, stream: int) -> int:
    """64 bits of the seed of a run and a purpose."""
    return (int(random_state) % 2**56) * 2**8 + stream
