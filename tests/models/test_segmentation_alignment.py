"""Lineage of a refit: planted continuations, splits, merges, births and retirements.

Add here a way in which clusters can change, as a small table of shared customers.
Keys of whole models are tested in `test_segmentation_microsegments`.
"""

import numpy as np
import pandas as pd
import pytest

from models_py.segmentation.alignment import (
    LINEAGE_COLUMNS,
    joint_lineage,
    lineage_rows,
    match_clusters,
    shared_customers,
)
from models_py.segmentation.cells import OUT, Cell


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
    ],
    ids=["same", "swapped", "split", "shattered", "merge", "all merged", "empty", "born"],
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


def test_an_equal_key_is_continued_only_with_customers_in_common() -> None:
    whole = Cell("active-all", "active", (OUT,), 10)
    rest = Cell("active-all", "active", (None,), 0)
    parts = [Cell(f"active-va-0{n}", "active", (f"active-va-0{n}",), 5) for n in (1, 2)]
    keys = ["active-va-01"] * 5 + ["active-va-02"] * 5
    same = {(cell.key, cell.key, "continued") for cell in (rest, *parts)}
    assert _told(["active-all"] * 10, keys, [whole], [rest, *parts]) == {
        ("active-all", "active-va-01", "split"),
        ("active-all", "active-va-02", "split"),
        (None, "active-all", "born"),
    }
    assert _told(keys, keys, [rest, *parts], [rest, *parts]) == same
    # One customer in the rest does not make it the whole stage of before.
    told = _told(["active-all"] * 10, ["active-all", *keys[1:]], [whole], [rest, *parts])
    assert ("active-all", "active-all", "split") in told
    apart = _told(
        ["active-all", *keys[1:]], [*keys[:9], "active-all"], [rest, *parts], [rest, *parts]
    )
    assert apart == same - {("active-all", "active-all", "continued")} | {
        ("active-all", "active-va-01", "merged"),
        ("active-va-02", "active-all", "split"),
    }


def _told(
    old: list[str], new: list[str], old_cells: list[Cell], new_cells: list[Cell]
) -> set[tuple[str | None, str | None, str]]:
    """Decisions on customers of one stage by their old and new keys."""
    frames = [pd.DataFrame({"stage": "active", "microsegment_key": keys}) for keys in (old, new)]
    told = joint_lineage(*frames, *({c.key: c for c in cells} for cells in (old_cells, new_cells)))
    told = told.astype(object).where(told.notna(), None)
    return set(zip(told["old_key"], told["new_key"], told["decision"], strict=True))
