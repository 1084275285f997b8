"""Ways to link that ours is compared with: equal identifiers, and plain Splink as documented.

Add here a baseline that anyone would try first.
Our own linkage stays out and lives in `models_py.record_linkage`.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from models_py.record_linkage.graph import connected

KEY = ["source_system", "source_record_id"]
# Equal in any of these: what an exact linkage joins by.
EXACT = (
    ("other_id",),
    ("loyalty_id",),
    ("email",),
    ("phone", "given_name", "family_name"),
    ("given_name", "family_name", "birth_date"),
)
CERTAIN = (("given_name", "family_name"), ("email",), ("other_id",))
BLOCKS = (
    *CERTAIN,
    ("family_name", "birth_date"),
    ("given_name", "birth_date"),
    ("postal_code", "family_name"),
    ("postal_code", "given_name"),
    ("birth_date", "postal_code"),
    ("street", "family_name"),
    ("phone",),
    ("loyalty_id",),
)


def _persons(records: pd.DataFrame, left: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    return records[KEY].assign(customer_id=connected(left, right, len(records)))


def exact_persons(records: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Connected components over equal identifiers."""
    left, right = [np.zeros(0, dtype=int)], [np.zeros(0, dtype=int)]
    for columns in EXACT:
        if not set(columns) <= set(records.columns):
            continue
        known = np.flatnonzero(records[list(columns)].notna().all(axis=1))
        group = records.iloc[known].groupby(list(columns), sort=False).ngroup().to_numpy()
        _, first = np.unique(group, return_index=True)
        left.append(known)
        right.append(known[first][group])
    return _persons(records, np.concatenate(left), np.concatenate(right)), {}


def splink_linker(records: pd.DataFrame) -> Any:
    """Plain Splink: its ready-made comparisons, u by sampling, m by EM on two blocks.

    Comparisons and blocks follow the documentation's models for febrl4, fake_1000 and the 50,000
    historical persons (names, date of birth, post code or city, e-mail, exact numbers).
    """
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, block_on

    for name in ("splink", "splink.internals"):
        logging.getLogger(name).setLevel(logging.ERROR)
    frame = records.reset_index(drop=True).assign(unique_id=lambda f: np.arange(len(f)))
    ready: dict[str, Any] = {
        "given_name": cl.NameComparison("given_name"),
        "family_name": cl.NameComparison("family_name"),
        "birth_date": cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
        "email": cl.ExactMatch("email").configure(term_frequency_adjustments=True),
        "phone": cl.ExactMatch("phone"),
        "street": cl.LevenshteinAtThresholds("street", 2),
        "city": cl.ExactMatch("city").configure(term_frequency_adjustments=True),
        "postal_code": cl.LevenshteinAtThresholds("postal_code", 2),
        "other_id": cl.LevenshteinAtThresholds("other_id", 2),
        "loyalty_id": cl.ExactMatch("loyalty_id"),
        "occupation": cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
    }
    used = [column for column in ready if column in frame and frame[column].notna().any()]
    pairs = [pair for pair in BLOCKS if set(pair) <= set(used)]
    rules = [block_on(*pair) for pair in pairs]
    settings = {
        "link_type": "dedupe_only",
        "comparisons": [ready[column] for column in used],
        "blocking_rules_to_generate_predictions": rules,
        "retain_matching_columns": False,
    }
    api = DuckDBAPI()
    linker = Linker(api.register(frame[["unique_id", *used]]), settings, log_level=None)
    certain = [rule for rule, pair in zip(rules, pairs, strict=True) if pair in CERTAIN]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6 + 1, seed=1)
    for pair in (("given_name", "family_name"), ("birth_date",)):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*pair))
    return linker


def splink_persons(records: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Connected components over plain Splink's pairs of at least 0.5."""
    linker = splink_linker(records)
    scored = linker.inference.predict(threshold_match_probability=0.5, warning_mode="never")
    pairs = scored.as_pandas_dataframe()
    return _persons(records, pairs["unique_id_l"].to_numpy(), pairs["unique_id_r"].to_numpy()), {
        "threshold": 0.5
    }
