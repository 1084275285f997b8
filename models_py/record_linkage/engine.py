"""Splink on DuckDB: blocks, compares and scores pairs of prepared records, quietly.

Add here what needs Splink or its connection; nothing else in this package knows them.
What is compared, and how parameters are learned, stays out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from models_py.record_linkage.levels import Comparison

# Splink writes some 200 bytes per pair before the levels are read off them: two million pairs at a
# time take 0.4 GB, whatever the number of records.
CHUNK_PAIRS = 2_000_000


@contextmanager
def quiet() -> Iterator[None]:
    """Splink logs at every step; only its errors are of use to whoever runs a pipeline."""
    logger = logging.getLogger("splink")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def connection() -> Iterator[Any]:
    """Open the in-memory DuckDB that Splink would use, without progress bars."""
    from splink import DuckDBAPI

    con = DuckDBAPI().duckdb_con
    con.execute("set enable_progress_bar = false")
    try:
        yield con
    finally:
        con.close()


class SplinkEngine:
    """One in-memory DuckDB with the prepared records.

    Parameters
    ----------
    prepared : DataFrame
        As `prepare_records` returns it.
    keys : DataFrame
        block_0, block_1, ... as `block_keys` returns them.
    comparisons : sequence of Comparison
    """

    def __init__(
        self, prepared: pd.DataFrame, keys: pd.DataFrame, comparisons: Sequence[Comparison]
    ) -> None:
        from splink import DuckDBAPI

        self.comparisons = tuple(comparisons)
        self.blocks = list(keys.columns)
        self._api = DuckDBAPI()
        self._con = self._api.duckdb_con
        self._con.execute("set enable_progress_bar = false")
        frame = pd.concat(
            [prepared.drop(columns=["source_system", "source_record_id"]), keys], axis=1
        )
        self._con.register("prepared_frame", frame)
        self._con.execute("create table prepared as select * from prepared_frame order by record")
        self._con.unregister("prepared_frame")
        self._records = self._api.register("prepared")

    def close(self) -> None:
        """Free the memory of the tables."""
        self._con.close()

    def random_patterns(self, pairs_count: int, random_state: int) -> pd.DataFrame:
        """Agreement patterns of pairs drawn at random, or of all pairs when they are fewer."""
        count = self._con.execute("select count(*) from prepared").fetchall()[0][0]
        if count * (count - 1) // 2 <= pairs_count:
            left, right = np.triu_indices(count, 1)
        else:
            rng = np.random.default_rng(random_state)
            drawn = rng.integers(0, count, (2, pairs_count))
            drawn = np.unique(np.sort(drawn[:, drawn[0] != drawn[1]], axis=0), axis=1)
            left, right = drawn
        pairs = pd.DataFrame({"match_key": "0", "join_key_l": left, "join_key_r": right})
        self._con.register("random_pairs_frame", pairs)
        self._con.execute("create or replace table random_pairs as from random_pairs_frame")
        self._con.unregister("random_pairs_frame")
        self._compare("random_pairs", "random_levels")
        return self._patterns("random_levels")

    def blocked_patterns(self) -> pd.DataFrame:
        """Agreement patterns of all blocked pairs, which are compared once and kept."""
        with quiet():
            blocked = self._linker().inference.compute_blocked_pairs_for_predict()
        self._con.execute(
            "create or replace table blocked_pairs as "
            f"select '0' as match_key, join_key_l, join_key_r from {blocked.physical_name}"
        )
        blocked.drop_table_from_database_and_remove_from_cache()
        self._compare("blocked_pairs", "blocked_levels")
        return self._patterns("blocked_levels")

    def blocked_pairs(self, patterns: np.ndarray) -> pd.DataFrame:
        """Blocked pairs that show one of these patterns.

        Returns
        -------
        DataFrame
            record_l < record_r, pattern; ordered by both records.
        """
        self._con.register("wanted_frame", pd.DataFrame({"pattern": patterns}))
        pairs = self._con.execute(
            "select record_l, record_r, pattern from blocked_levels "
            "semi join wanted_frame using (pattern) order by record_l, record_r"
        ).df()
        self._con.unregister("wanted_frame")
        return pairs

    def _compare(self, pairs: str, into: str) -> None:
        """Compare the pairs of a table in parts of `CHUNK_PAIRS`; one number holds all levels."""
        self._con.execute(
            f"create or replace table {into} (record_l integer, record_r integer, pattern bigint)"
        )
        per_record = self._con.execute(
            f"select join_key_l, count(*) from {pairs} group by 1 order by 1"
        ).fetchnumpy()
        first, counts = per_record["join_key_l"], per_record["count_star()"]
        parts = np.cumsum(counts) // CHUNK_PAIRS
        code = " + ".join(
            f"(cast(-round(mw_{c.name}) as bigint) << {shift})"
            for c, shift in zip(self.comparisons, shifts(self.comparisons), strict=True)
        )
        for part in np.unique(parts):
            of = first[parts == part]
            self._con.execute(
                f"create or replace table pairs_part as select * from {pairs} "
                f"where join_key_l between {of[0]} and {of[-1]}"
            )
            linker = self._linker()
            linker.table_management.register_blocked_pairs_for_predict(
                self._api.register("pairs_part")
            )
            with quiet():
                scored = linker.inference.predict(warning_mode="never")
            self._con.execute(
                f"insert into {into} select record_l, record_r, {code} from {scored.physical_name}"
            )
            scored.drop_table_from_database_and_remove_from_cache()
            linker.table_management.invalidate_cache()
        self._con.execute(f"drop table if exists pairs_part; drop table {pairs}")

    def _patterns(self, levels: str) -> pd.DataFrame:
        counts = self._con.execute(
            f"select pattern, count(*) as pairs_count from {levels} group by 1 order by 1"
        ).df()
        code = counts["pattern"].to_numpy()
        for c, shift in zip(self.comparisons, shifts(self.comparisons), strict=True):
            counts[c.name] = ((code >> shift) & ((1 << bits(c)) - 1)) - 1
        return counts

    def _linker(self) -> Any:
        """Return a linker whose weights name levels.

        The weight of level k is made -(k + 1): Splink keeps weights but, without all compared
        columns (a gigabyte per two million pairs), not the levels themselves; 0 is "unknown".
        """
        from splink import Linker, block_on

        settings = {
            "link_type": "dedupe_only",
            "unique_id_column_name": "record",
            "comparisons": [_settings(c) for c in self.comparisons],
            "blocking_rules_to_generate_predictions": [block_on(b) for b in self.blocks],
            "retain_matching_columns": False,
            "retain_intermediate_calculation_columns": True,
            "probability_two_random_records_match": 0.001,
        }
        with quiet():
            return Linker(self._records, settings, log_level=None, validate_settings=False)


def bits(comparison: Comparison) -> int:
    """Return how many bits tell the levels of a comparison and "unknown" apart."""
    return len(comparison.levels).bit_length()


def shifts(comparisons: Sequence[Comparison]) -> list[int]:
    """Where the level of each comparison stands in the number of a pattern."""
    ends = np.cumsum([bits(c) for c in comparisons]).tolist()
    if ends[-1] > 63:
        raise ValueError(
            f"{len(comparisons)} comparisons need {ends[-1]} bits a pair and 63 are there: name "
            "fewer extra_columns."
        )
    return [0, *ends[:-1]]


def _settings(comparison: Comparison) -> dict[str, Any]:
    levels: list[dict[str, Any]] = [
        {"sql_condition": comparison.unknown, "label_for_charts": "unknown", "is_null_level": True}
    ]
    for number, level in enumerate(comparison.levels):
        levels.append(
            {
                "sql_condition": level.condition,
                "label_for_charts": level.name,
                "m_probability": 2.0 ** -(number + 2),
                "u_probability": 0.5,
            }
        )
    return {"output_column_name": comparison.name, "comparison_levels": levels}
