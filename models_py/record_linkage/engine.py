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

TRAINING_NUMBER = 1_000_003


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
        return self._patterns("random_pairs")

    def blocked_patterns(self, max_pairs: int) -> tuple[pd.DataFrame, float]:
        """Agreement patterns of the blocked pairs, or of a fixed sample of them, and its share."""
        linker = self._linker(None)
        blocked = linker.inference.compute_blocked_pairs_for_predict()
        total = self._con.execute(f"select count(*) from {blocked.physical_name}").fetchall()[0][0]
        every = max(1, -(-total // max_pairs))
        self._con.execute(
            f"create or replace table training_pairs as select * from {blocked.physical_name} "
            f"where (join_key_l * {TRAINING_NUMBER} + join_key_r) % {every} = 0"
        )
        blocked.drop_table_from_database_and_remove_from_cache()
        kept = self._con.execute("select count(*) from training_pairs").fetchall()[0][0]
        return self._patterns("training_pairs"), kept / total if total else 1.0

    def score(self, parameters: pd.DataFrame, least_probability: float) -> pd.DataFrame:
        """Blocked pairs at least so probable: record_l < record_r, ordered by both."""
        linker = self._linker(parameters)
        with quiet():
            scored = linker.inference.predict(
                threshold_match_probability=least_probability, warning_mode="never"
            )
        return self._con.execute(
            "select record_l, record_r, match_probability, match_weight "
            f"from {scored.physical_name} order by record_l, record_r"
        ).df()

    def _patterns(self, table: str) -> pd.DataFrame:
        linker = self._linker(None)
        linker.table_management.register_blocked_pairs_for_predict(self._api.register(table))
        with quiet():
            scored = linker.inference.predict(warning_mode="never")
        levels = [f"cast(-round(mw_{c.name}) - 1 as integer) as {c.name}" for c in self.comparisons]
        patterns = self._con.execute(
            f"select {', '.join(levels)}, count(*) as pairs_count from {scored.physical_name} "
            "group by all order by all"
        ).df()
        linker.table_management.invalidate_cache()
        self._con.execute(f"drop table if exists {table}")
        return patterns

    def _linker(self, parameters: pd.DataFrame | None) -> Any:
        from splink import Linker, block_on

        values = (
            None
            if parameters is None
            else dict(zip(parameters["parameter"], parameters["value"], strict=True))
        )
        settings = {
            "link_type": "dedupe_only",
            "unique_id_column_name": "record",
            "comparisons": [self._settings(c, values) for c in self.comparisons],
            "blocking_rules_to_generate_predictions": [block_on(b) for b in self.blocks],
            "retain_matching_columns": False,
            "retain_intermediate_calculation_columns": True,
            "probability_two_random_records_match": 0.001 if values is None else values["lambda"],
        }
        with quiet():
            return Linker(self._records, settings, log_level=None, validate_settings=False)

    def _settings(self, comparison: Comparison, values: dict[str, float] | None) -> dict[str, Any]:
        """Levels with their parameters; without any, the weight of level k is made -(k + 1).

        Splink keeps weights but, without all compared columns (a gigabyte per two million pairs),
        not the levels themselves: the weight 0 is "unknown", and any other names its level.
        """
        levels: list[dict[str, Any]] = [
            {
                "sql_condition": comparison.unknown,
                "label_for_charts": "unknown",
                "is_null_level": True,
            }
        ]
        for number, level in enumerate(comparison.levels):
            name = f"{comparison.name}.{level.name}"
            entry: dict[str, Any] = {
                "sql_condition": level.condition,
                "label_for_charts": level.name,
                "m_probability": 2.0 ** -(number + 2) if values is None else values[f"m.{name}"],
                "u_probability": 0.5 if values is None else values[f"u.{name}"],
            }
            if values is not None and level.term_frequency_column:
                entry["tf_adjustment_column"] = level.term_frequency_column
            levels.append(entry)
        return {"output_column_name": comparison.name, "comparison_levels": levels}
