"""Lineage of a refit: planted continuations, splits, merges, births and retirements.

Add here a way in which clusters can change, as a small table of shared customers.
Keys of whole models are tested in `test_segmentation_microsegments`.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation.alignment import (
    LINEAGE_COLUMNS,
    lineage_rows,
    match_clusters,
    shared_customers,
)


def lineage(shared: list[list[int]]) -> pd.DataFrame:
    """Old keys a, b, ... and new keys A, B, ... by the customers they share."""
    counts = np.array(shared)
    old_keys, new_keys = list("abcdef"[: counts.shape[0]]), list("ABCDEF"[: counts.shape[1]])
    matches = match_clusters(counts, 0.5)
    return lineage_rows("active", "value", counts, old_keys, new_keys, matches)


def decisions(shared: list[list[int]]) -> set[tuple[str | None, str | None, str]]:
    table = lineage(shared)
    table = table.astype(object).where(table.notna(), None)
    return set(zip(table["old_key"], table["new_key"], table["decision"], strict=True))


@pytest.mark.parametrize(
    ("shared", "expected"),
    [
        ([[90, 10], [5, 95]], {("a", "A", "continued"), ("b", "B", "continued")}),
        ([[0, 90], [90, 0]], {("a", "B", "continued"), ("b", "A", "continued")}),
        ([[70, 30]], {("a", "A", "continued"), ("a", "B", "split")}),
        ([[34, 33, 33]], {("a", "A", "split"), ("a", "B", "split"), ("a", "C", "split")}),
        ([[70], [30]], {("a", "A", "continued"), ("b", "A", "merged")}),
        ([[34], [33], [33]], {("a", "A", "merged"), ("b", "A", "merged"), ("c", "A", "merged")}),
        ([[90, 0], [0, 0]], {("a", "A", "continued"), ("b", None, "retired"), (None, "B", "born")}),
        (
            [[80, 0, 0, 10], [0, 80, 0, 10], [0, 0, 80, 10]],
            {
                ("a", "A", "continued"),
                ("b", "B", "continued"),
                ("c", "C", "continued"),
                (None, "D", "born"),
            },
        ),
        (
            # Without its floor the assignment would pair both with little, and a-A is 0.55.
            [[110, 70, 0], [0, 0, 0], [20, 0, 0]],
            {
                ("a", "A", "continued"),
                ("a", "B", "split"),
                ("b", None, "retired"),
                ("c", "A", "merged"),
                (None, "C", "born"),
            },
        ),
    ],
    ids=["same", "swapped", "split", "shattered", "merge", "all merged", "empty", "born", "floor"],
)
def test_every_change_has_its_name(
    shared: list[list[int]], expected: set[tuple[str | None, str | None, str]]
) -> None:
    assert decisions(shared) == expected


def test_no_key_is_lost_without_a_row() -> None:
    rng = np.random.default_rng(8)
    for _ in range(200):
        shape = rng.integers(1, 6, 2)
        shared = rng.integers(0, 60, shape) * rng.integers(0, 2, shape)
        table = lineage(shared.tolist())
        assert list(table.columns) == LINEAGE_COLUMNS
        assert set(table["old_key"].dropna()) == set("abcdef"[: shape[0]])
        assert set(table["new_key"].dropna()) == set("ABCDEF"[: shape[1]])
        assert not table.duplicated(["old_key", "new_key"]).any()


def test_shares_and_jaccard_are_those_of_the_customers() -> None:
    row = lineage([[60, 40]]).set_index("new_key").loc["A"]
    assert row["overlap_share"] == pytest.approx(0.6)
    assert row["jaccard"] == pytest.approx(0.6)
    assert row["customers_count"] == 60


def test_customers_are_counted_by_both_labels() -> None:
    old, new = pd.Series(["a", "a", "b", "x"]), pd.Series(["A", "B", "B", "A"])
    assert shared_customers(old, new, ["a", "b"], ["A", "B"]).tolist() == [[1, 1], [0, 1]]


def test_what_falls_into_a_key_that_goes_on_is_merged_whatever_its_share() -> None:
    """The rest of a stage goes on without customers, and takes in a whole small segment."""
    told = lineage_rows("active", "value", np.array([[0], [12]]), ["a", "b"], ["A"], {0: 0})
    assert told["decision"].tolist() == ["continued", "merged"]
