"""Links between records that share no exact identifier, learned without labels by Splink.

Add here what the class shows to its callers.
Preparation, blocks, comparisons, training and Splink itself each live in a module of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_py.record_linkage.blocking import block_keys
from models_py.record_linkage.comparisons import comparisons_of
from models_py.record_linkage.engine import SplinkEngine
from models_py.record_linkage.keys import RECORD_KEY
from models_py.record_linkage.levels import Comparison
from models_py.record_linkage.prepare import prepare_records
from models_py.record_linkage.training import estimate_parameters
from models_py.record_linkage.weights import (
    best_weights,
    pair_weights,
    pattern_weights,
    rarities,
)

PAIR_COLUMNS = [
    *(f"{column}_l" for column in RECORD_KEY),
    *(f"{column}_r" for column in RECORD_KEY),
    "match_probability",
    "match_weight",
]


# Comparisons are not quite independent and clusters multiply a false link, so only half of the
# false links that the target allows may be expected: where 0.995 was, historical records came to
# 0.991 by pairs and the simulated chain to 0.991.
EXPECTED_FALSE_SHARE = 0.5

# A single link less probable than this joins nobody, however good the others are: at 0.5 the last
# pair above the threshold was the only false one of febrl4.
LEAST_LINK = 0.9
TRUSTED_BIRTH_OTHER = 0.05


class RecordLinkage:
    """Probabilities that two records are one person, from what the records say.

    One configuration for every data set: comparisons whose columns are missing or hardly filled
    are left out. Parameters are learned without labels and with `random_state` alone; rows may
    come in any order and DuckDB may use any number of threads without a change of the result.

    Parameters
    ----------
    target_precision : float
        The threshold is the lowest at which the pairs above it are expected, by their own
        probabilities, to be true at this share.
    max_block_size : int
        Records that may share a block; larger blocks are cut, then dropped.
    max_pairs_per_record : float
        Pairs per record that one blocking rule may make.
    max_random_pairs : int
        Pairs drawn for u.
    least_probability : float
        Less probable pairs are not returned.
    extra_columns : sequence of str
        Further columns of the records to compare for equality (an occupation, a club).
    random_state : int

    Attributes
    ----------
    parameters_ : DataFrame
        parameter, value: all that `from_parameters` needs.
    threshold_ : float
        Lowest match_probability of a link.
    estimated_precision_ : float
        Expected share of true pairs above the threshold; NaN without any pair.
    blocking_ : DataFrame
        Per blocking rule: rule, pairs_count, largest_block, max_block_size, records_dropped.
    skipped_because_ : str or None
        Why nothing was learned: then `predict` gives no pairs.
    """

    def __init__(
        self,
        *,
        target_precision: float = 0.99,
        max_block_size: int = 200,
        max_pairs_per_record: float = 5.0,
        max_random_pairs: int = 1_000_000,
        least_probability: float = 0.1,
        extra_columns: Sequence[str] = (),
        random_state: int = 1,
    ) -> None:
        self.target_precision = target_precision
        self.max_block_size = max_block_size
        self.max_pairs_per_record = max_pairs_per_record
        self.max_random_pairs = max_random_pairs
        self.least_probability = least_probability
        self.extra_columns = tuple(extra_columns)
        self.random_state = random_state
        self._last: tuple[int, pd.DataFrame] | None = None

    def fit(self, records: pd.DataFrame) -> RecordLinkage:
        """Learn the parameters and the threshold from records.

        Parameters
        ----------
        records : DataFrame
            As identity.normalised_records: source_system, source_record_id and any of the columns
            of `models_py.record_linkage.prepare.COMPARED`.
        """
        self.skipped_because_: str | None = None
        self._last = None
        self.parameters_ = pd.DataFrame(columns=["parameter", "value"])
        self.threshold_, self.estimated_precision_ = 1.0, float("nan")
        if len(records) < 2:
            self.skipped_because_ = "there are fewer than two records with names to compare"
            return self
        prepared = prepare_records(records, self.extra_columns)
        comparisons = comparisons_of(prepared, self.extra_columns)
        named = {"given_name", "family_name"} & {c.name for c in comparisons}
        keys, self.blocking_ = block_keys(prepared, self.max_block_size, self.max_pairs_per_record)
        if not named:
            self.skipped_because_ = "hardly a record carries a name"
        elif len(comparisons) < 3:
            self.skipped_because_ = "beside names, records carry too little to compare"
        elif keys.empty:
            self.skipped_because_ = "no two records share a blocking key"
        if self.skipped_because_:
            return self
        engine = SplinkEngine(prepared, keys, comparisons)
        random = engine.random_patterns(self.max_random_pairs, self.random_state)
        blocked = engine.blocked_patterns()
        self.parameters_ = estimate_parameters(comparisons, blocked, random, len(prepared))
        scored = self._score(engine, prepared, comparisons, blocked)
        engine.close()
        self._last = (_fingerprint(prepared), scored)
        self._set_threshold(scored["match_probability"].to_numpy())
        return self

    def predict(self, records: pd.DataFrame) -> pd.DataFrame:
        """Return the pairs that may be one person.

        Returns
        -------
        DataFrame
            One row per pair of at least `least_probability`: source_system_l, source_record_id_l,
            source_system_r, source_record_id_r (left before right by key), match_probability,
            match_weight (log2 odds); ordered by the keys. Pairs at or above `threshold_` are links.
        """
        if self.skipped_because_ or len(records) < 2:
            return pd.DataFrame({column: [] for column in PAIR_COLUMNS})
        prepared = prepare_records(records, self.extra_columns)
        scored = self._scored(prepared)
        for side in "lr":
            of = prepared[RECORD_KEY].iloc[scored[f"record_{side}"].to_numpy()]
            for column in RECORD_KEY:
                scored[f"{column}_{side}"] = of[column].to_numpy()
        return scored[PAIR_COLUMNS]

    @property
    def trust_birth_dates_(self) -> bool:
        """Whether records of one person so seldom differ in birth date that a difference tells.

        In a set whose errors replace whole dates (febrl, 0.06 of true pairs and more) a father
        and a son of one name cannot be told from one person, and 0.026 of the true pairs of febrl3
        would be lost in trying.
        """
        values = dict(zip(self.parameters_["parameter"], self.parameters_["value"], strict=True))
        return bool(values.get("m.birth_date.other", 0.0) < TRUSTED_BIRTH_OTHER)

    @classmethod
    def from_parameters(cls, parameters: pd.DataFrame, **settings: Any) -> RecordLinkage:
        """Rebuild a fitted linkage from the table in `parameters_`."""
        linkage = cls(**settings)
        linkage.parameters_ = parameters.reset_index(drop=True)
        values = dict(zip(parameters["parameter"], parameters["value"], strict=True))
        linkage.skipped_because_ = None if values else "no parameters"
        linkage.threshold_ = values.get("threshold", 1.0)
        linkage.estimated_precision_ = values.get("estimated_precision", float("nan"))
        return linkage

    def _scored(self, prepared: pd.DataFrame) -> pd.DataFrame:
        """Pairs of the records; those of the fit were compared already and are not again."""
        if self._last is not None and self._last[0] == _fingerprint(prepared):
            return self._last[1].copy()
        keys, self.blocking_ = block_keys(prepared, self.max_block_size, self.max_pairs_per_record)
        if keys.empty:
            nobody = np.array([], dtype=np.int64)
            return pd.DataFrame(
                {"record_l": nobody, "record_r": nobody, "match_probability": 0.0 * nobody,
                 "match_weight": 0.0 * nobody}
            )  # fmt: skip
        comparisons = self._learned(prepared)
        engine = SplinkEngine(prepared, keys, comparisons)
        scored = self._score(engine, prepared, comparisons, engine.blocked_patterns())
        engine.close()
        return scored

    def _score(
        self,
        engine: SplinkEngine,
        prepared: pd.DataFrame,
        comparisons: Sequence[Comparison],
        patterns: pd.DataFrame,
    ) -> pd.DataFrame:
        """Pairs of at least `least_probability`: record_l < record_r, ordered by both."""
        values = dict(zip(self.parameters_["parameter"], self.parameters_["value"], strict=True))
        least = np.log(self.least_probability) - np.log1p(-self.least_probability)
        weights = pattern_weights(comparisons, patterns, values)
        levels = patterns[[c.name for c in comparisons]].to_numpy()
        rare = rarities(comparisons, prepared, values)
        hopeful = best_weights(weights, levels, rare) >= least
        weights, levels = weights[hopeful], levels[hopeful]
        pairs = engine.blocked_pairs(weights["pattern"].to_numpy())
        which = np.searchsorted(weights["pattern"].to_numpy(), pairs["pattern"].to_numpy())
        odds = pair_weights(weights, levels, rare, which, pairs["record_l"].to_numpy())
        pairs["match_probability"] = 1.0 / (1.0 + np.exp(-np.clip(odds, -700, 700)))
        pairs["match_weight"] = odds / np.log(2.0)
        return pairs[odds >= least].drop(columns="pattern").reset_index(drop=True)

    def _learned(self, prepared: pd.DataFrame) -> tuple[Comparison, ...]:
        learned = {name.split(".")[1] for name in self.parameters_["parameter"] if "." in name}
        return tuple(
            c
            for c in comparisons_of(prepared, self.extra_columns, everything=True)
            if c.name in learned
        )

    def _set_threshold(self, probability: np.ndarray) -> None:
        ordered = np.sort(probability)[::-1]
        expected = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
        target = 1.0 - (1.0 - self.target_precision) * EXPECTED_FALSE_SHARE
        good = np.flatnonzero((expected >= target) & (ordered >= LEAST_LINK))
        if len(good):
            self.threshold_ = float(ordered[good[-1]])
            self.estimated_precision_ = float(expected[good[-1]])
        rows = pd.DataFrame(
            {
                "parameter": ["threshold", "estimated_precision"],
                "value": [self.threshold_, self.estimated_precision_],
            }
        )
        self.parameters_ = pd.concat([self.parameters_, rows], ignore_index=True)


def _fingerprint(prepared: pd.DataFrame) -> int:
    """Tell prepared records apart, which come in the order of their keys."""
    rows = pd.util.hash_pandas_object(prepared, index=False).to_numpy()
    return hash((rows.tobytes(), *prepared.columns))
