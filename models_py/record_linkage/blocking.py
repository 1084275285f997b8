"""Which records are worth comparing: blocks of records that share a key, none of them large.

Add here a rule under which two records of one person may meet.
What is then compared stays out; a rule never decides that two records are one person.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

# Columns that records of a block share; expressions of one record are columns made by _keys.
RULES: tuple[tuple[str, ...], ...] = (
    ("email",),
    ("phone",),
    ("loyalty_id",),
    ("other_id",),
    ("given_name", "family_name"),
    ("names_sorted",),
    ("family_name", "birth_date"),
    ("given_name", "birth_date"),
    ("given_sound", "family_sound", "birth_year"),
    ("given_sound", "family_sound", "postal_code"),
    ("birth_date", "postal_code"),
    ("birth_date", "city"),
    ("birth_date", "house_number"),
    ("street", "house_number"),
    ("email_name",),
    ("family_sound", "birth_month_day"),
    ("given_sound", "birth_month_day"),
    ("family_name", "postal_code"),
    ("given_name", "postal_code"),
    ("family_name", "city"),
    ("given_name", "street"),
    ("family_name", "street"),
    ("given_sound", "family_sound"),
    ("postal_code", "house_number"),
    ("postal_code",),
)
# A block that is too large is cut by these, in turn, before it is dropped.
NARROWING = ("postal_code", "birth_year", "given_sound", "family_sound", "city", "gender")


def block_keys(
    prepared: pd.DataFrame, max_block_size: int, max_pairs_per_record: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Number the blocks of every rule; a record without a block in a rule has none there.

    A block of more than `max_block_size` records is cut by the columns of `NARROWING` that its
    rule does not use; parts that are still too large are dropped. When a rule would still make
    more than `max_pairs_per_record` pairs per record, its limit is halved until it does not, so
    that the work grows with the records and never with their square.

    Parameters
    ----------
    prepared : DataFrame
        As `prepare_records` returns it.

    Returns
    -------
    keys : DataFrame (records,)
        block_0, block_1, ...: number of the block, NA where the record is in none.
    report : DataFrame
        One row per rule: rule, pairs_count, largest_block, max_block_size, records_dropped.
    """
    columns = _keys(prepared)
    limit_pairs = max(max_pairs_per_record * len(prepared), 200_000)
    keys: dict[str, pd.Series] = {}
    rows = []
    for rule in RULES:
        if any(columns[column].max() < 0 for column in rule):
            continue
        codes = _combine([columns[column] for column in rule])
        narrowing = [columns[column] for column in NARROWING if column not in rule]
        limit = max_block_size
        while True:
            cut, sizes = _bounded(codes, narrowing, limit)
            pairs = int((sizes * (sizes - 1) // 2).sum())
            if pairs <= limit_pairs or limit <= 4:
                break
            limit //= 2
        if not pairs:
            continue
        keys[f"block_{len(keys)}"] = pd.Series(cut).astype("Int64").mask(cut < 0)
        rows.append(
            {
                "rule": " + ".join(rule),
                "pairs_count": pairs,
                "largest_block": int(sizes.max()),
                "max_block_size": limit,
                "records_dropped": int(((codes >= 0) & (cut < 0)).sum()),
            }
        )
    return pd.DataFrame(keys, index=prepared.index), pd.DataFrame(rows)


def _keys(prepared: pd.DataFrame) -> dict[str, np.ndarray]:
    """Codes per column and derived key; -1 is unknown."""
    given, family = prepared["given_name"], prepared["family_name"]
    first, last = given.where(given < family, family), given.where(given >= family, family)
    derived = {
        "names_sorted": (first + " " + last).where(given.notna() & family.notna()),
        "birth_year": prepared["birth_date"].str[:4],
    }
    names = {column for rule in RULES for column in rule} | set(NARROWING)
    return {
        name: pd.factorize(derived[name] if name in derived else prepared[name])[0].astype(np.int64)
        for name in sorted(names)
    }


def _combine(codes: Sequence[np.ndarray]) -> np.ndarray:
    """One code per combination; unknown when any part is."""
    combined = codes[0]
    for code in codes[1:]:
        both = combined * (int(code.max()) + 1) + code
        both[(combined < 0) | (code < 0)] = -1
        combined = pd.factorize(pd.Series(both).mask(both < 0))[0].astype(np.int64)
    return combined


def _bounded(
    codes: np.ndarray, narrowing: Sequence[np.ndarray], limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut blocks that are larger than the limit; return codes and the sizes of blocks."""
    codes = codes.copy()
    for code in (*narrowing, None):
        sizes = np.bincount(codes[codes >= 0], minlength=1)
        large = (codes >= 0) & (sizes[np.maximum(codes, 0)] > limit)
        if not large.any():
            break
        if code is None:
            codes[large] = -1
            break
        parts = _combine([codes[large], code[large]])
        codes[large] = np.where(parts >= 0, parts + len(sizes), -1)
    sizes = np.bincount(codes[codes >= 0], minlength=1)
    return codes, sizes[sizes > 0].astype(np.int64) if sizes.any() else np.zeros(1, dtype=np.int64)
