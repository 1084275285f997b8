"""What the columns of the simulated chain allow: people of one household whom nothing tells apart.

Run `python -m benchmarks.linkage_bound`; it writes `benchmarks/results/linkage_bound.json`. Pairs
of records of one household are grouped by what agrees, differs or is missing in each column, and
the truth says which groups are mostly one person. Whoever decides by these groups cannot do better
than the truth itself does; links between households are not counted against it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.linkage import RETAILER_CUSTOMERS
from benchmarks.linkage_data import retailer

RESULT = Path(__file__).parent / "results" / "linkage_bound.json"
COLUMNS = [
    *("given_name", "family_name", "birth_date", "gender", "email", "phone"),
    *("street", "house_number", "loyalty_id"),
]


def household_pairs(records: pd.DataFrame) -> pd.DataFrame:
    """Every pair of records of one household: the state of each column, is_one_person, household.

    States are "=", "<" (one holds the beginning of the other: one surname of two), "~" (at most two
    letters are exchanged), "x" and "-" (unknown).
    """
    numbered = records.assign(row=np.arange(len(records)))
    both = numbered[["household_id", "row"]].merge(
        numbered[["household_id", "row"]], on="household_id"
    )
    both = both[both["row_x"] < both["row_y"]]
    left = records.iloc[both["row_x"]].reset_index(drop=True)
    right = records.iloc[both["row_y"]].reset_index(drop=True)
    pairs = pd.DataFrame({c: _states(left[c], right[c]) for c in COLUMNS})
    return pairs.assign(
        is_one_person=(left["person_id"] == right["person_id"]).to_numpy(),
        household_id=left["household_id"],
    )


def _states(left: pd.Series, right: pd.Series) -> np.ndarray:
    one, other = left.fillna("").astype(str), right.fillna("").astype(str)
    state = np.full(len(one), "x")
    for k, (a, b) in enumerate(zip(one, other, strict=True)):
        if not a or not b:
            state[k] = "-"
        elif a == b:
            state[k] = "="
        elif a.startswith(b + " ") or b.startswith(a + " "):
            state[k] = "<"
        elif len(a) == len(b) and sum(x != y for x, y in zip(a, b, strict=True)) <= 2:
            state[k] = "~"
    return state


def bound(pairs: pd.DataFrame) -> dict[str, object]:
    """Best precision and recall within households, by groups that the truth itself has sorted."""
    groups = pairs.groupby(COLUMNS)["is_one_person"].agg(["sum", "size"])
    groups["share"] = groups["sum"] / groups["size"]
    groups = groups.sort_values(["share", "size"], ascending=False)
    true, all_pairs = groups["sum"].cumsum(), groups["size"].cumsum()
    good = np.flatnonzero((true / all_pairs >= 0.99).to_numpy())
    most = pairs.merge(groups[["share"]], left_on=COLUMNS, right_index=True)
    unlike = most[~most["is_one_person"] & (most["share"] >= 0.9)]
    return {
        "data": "retailer_20k",
        "pairs_of_one_person": int(groups["sum"].sum()),
        "pairs_of_two_persons_of_one_household": int((groups["size"] - groups["sum"]).sum()),
        "groups": len(groups),
        "best_recall_at_precision_099": round(float(true.iloc[good[-1]] / true.iloc[-1]), 4),
        "precision_when_all_mostly_true_groups_link": round(
            float(
                groups.loc[groups["share"] > 0.5, "sum"].sum()
                / groups.loc[groups["share"] > 0.5, "size"].sum()
            ),
            4,
        ),
        # Nine of ten pairs that look like these are one person.
        "indistinguishable_pairs": len(unlike),
        "indistinguishable_households": int(unlike["household_id"].nunique()),
        "recall_if_none_of_them_were_linked": round(
            float(1 - most.loc[_held(most), "is_one_person"].sum() / true.iloc[-1]), 4
        ),
    }


def _held(most: pd.DataFrame) -> pd.Series:
    """Pairs of groups that hold any two persons."""
    return most["share"] < 1.0


def main() -> None:
    """Simulate, measure, print and write."""
    from models_py.simulate import write_retailer

    with tempfile.TemporaryDirectory() as scratch:
        source, truth = Path(scratch) / "source", Path(scratch) / "truth"
        write_retailer(source, truth, RETAILER_CUSTOMERS, 7)
        row = bound(household_pairs(retailer(source, truth)))
    RESULT.write_text(json.dumps(row, indent=1) + "\n")
    print(row)


if __name__ == "__main__":
    main()
