"""Record linkage beside Splink's own defaults and the exact-identifier baseline, on known truth.

Run `python -m benchmarks.linkage --data FOLDER [--only febrl4 ...]`, where the public sets are; it
writes `benchmarks/results/linkage.json`. The same configuration links every set.
Time and memory at a million records are measured by `linkage_scale.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from benchmarks.linkage_baselines import exact_persons, splink_persons
from benchmarks.linkage_data import KEY, fake_1000, febrl, historical, retailer
from models_py.record_linkage import (
    RecordLinkage,
    cluster_scores,
    link_persons,
    pairwise_scores,
)
from models_py.record_linkage.prepare import COMPARED

IDENTIFIERS = [*KEY, "identifier_type", "identifier_value", "is_joinable"]
RESULT = Path(__file__).parent / "results" / "linkage.json"
RETAILER_CUSTOMERS = 20_000


def our_persons(records: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, float]]:
    """Learn, and find persons as a run does; equal identifiers join nobody here, pairs alone do."""
    extra = [column for column in ("occupation",) if column in records]
    linkage = RecordLinkage(extra_columns=extra).fit(records)
    told = records.reindex(columns=[*KEY, *COMPARED, *extra])
    nobody = pd.DataFrame({name: [] for name in IDENTIFIERS}, dtype=object)
    found, chosen = link_persons(records[KEY], nobody, told, linkage)
    return records[KEY].assign(customer_id=found.person), {
        "threshold": chosen["threshold"],
        "estimated_precision": linkage.estimated_precision_,
        "candidate_pairs": int(linkage.blocking_["pairs_count"].sum()),
    }


def measure(name: str, records: pd.DataFrame) -> list[dict[str, object]]:
    """Score the three ways to link one data set."""
    rows: list[dict[str, object]] = []
    ways: dict[str, Callable[[pd.DataFrame], tuple[pd.DataFrame, dict[str, float]]]] = {
        "clientela": our_persons,
        "splink_defaults": splink_persons,
        "exact_identifiers": exact_persons,
    }
    for way, link in ways.items():
        start = time.perf_counter()
        persons, details = link(
            records.drop(columns=["person_id", "household_id"], errors="ignore")
        )
        seconds = time.perf_counter() - start
        row = {"data": name, "way": way, **pairwise_scores(persons, records)}
        row |= cluster_scores(persons, records) | details
        if "household_id" in records:
            both = persons.merge(records, on=KEY)
            people = both.groupby(["customer_id", "household_id"])["person_id"].nunique()
            row["households_merged_count"] = int((people > 1).sum())
        row["seconds"] = round(seconds, 1)
        rows.append({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
        shown = {k: rows[-1].get(k) for k in ("precision", "recall", "f1", "cluster_precision")}
        print(name, way, shown, rows[-1].get("households_merged_count", ""), flush=True)
    return rows


def data_sets(folder: Path, scratch: Path) -> dict[str, Callable[[], pd.DataFrame]]:
    """Every data set by name; those without an identity number end in _without_number."""

    def simulated() -> pd.DataFrame:
        from models_py.simulate import write_retailer

        write_retailer(scratch / "source", scratch / "truth", RETAILER_CUSTOMERS, 7)
        return retailer(scratch / "source", scratch / "truth")

    sets: dict[str, Callable[[], pd.DataFrame]] = {}
    files = {f"febrl{k}": (f"febrl{k}",) for k in (1, 2, 3)} | {"febrl4": ("febrl4a", "febrl4b")}
    for name, parts in files.items():
        sets[name] = lambda parts=parts: febrl(folder, *parts)
        sets[f"{name}_without_number"] = lambda parts=parts: febrl(folder, *parts).drop(
            columns="other_id"
        )
    return sets | {
        "fake_1000": lambda: fake_1000(folder),
        "historical_50k": lambda: historical(folder),
        "retailer_20k": simulated,
    }


def main() -> None:
    """Measure, print and write; sets that are not measured keep their earlier rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLIENTELA_TEST_DATA"))
    parser.add_argument("--only", nargs="*", default=None)
    given = parser.parse_args()
    if given.data is None or not Path(given.data).is_dir():
        print("The public sets are not shipped: name their folder by --data. Skipped.")
        return
    known = json.loads(RESULT.read_text()) if RESULT.is_file() else []
    with tempfile.TemporaryDirectory() as scratch:
        for name, read in data_sets(Path(given.data), Path(scratch)).items():
            if given.only is None or name in given.only:
                rows = measure(name, read())
                known = [row for row in known if row["data"] != name] + rows
                RESULT.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
