"""Time and peak memory of the linkage at 100,000 and 1,000,000 simulated records.

Run `python benchmarks/linkage_scale.py --records 100000 [--without-splink]`; it writes
`benchmarks/results/linkage_scale.json`, one row per way and size, plain Splink in the same run.
Accuracy on known truth is measured by `linkage.py`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from linkage import our_persons
from linkage_baselines import splink_persons
from linkage_data import retailer

from models_py.record_linkage import pairwise_scores

RESULT = Path(__file__).parent / "results" / "linkage_scale.json"
RECORDS_PER_CUSTOMER = 1.59
WAYS = {"clientela": our_persons, "splink_defaults": splink_persons}


def write_records(file: Path, count: int) -> int:
    """Simulate a chain with at least `count` records and keep that many."""
    from models_py.simulate import write_retailer

    with tempfile.TemporaryDirectory() as scratch:
        source, truth = Path(scratch) / "source", Path(scratch) / "truth"
        write_retailer(source, truth, int(count / RECORDS_PER_CUSTOMER * 1.03), 11)
        records = retailer(source, truth).head(count)
    records.to_parquet(file)
    return len(records)


def _measure(way: str, file: Path, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    """Run in a process of its own, so that peak memory is that of one way."""
    records = pd.read_parquet(file)
    start = time.perf_counter()
    persons, _ = WAYS[way](records.drop(columns=["person_id", "household_id"]))
    seconds = time.perf_counter() - start
    # ru_maxrss would be that of the parent, which simulated: it survives exec on Linux.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024**2
    scores = pairwise_scores(persons, records)
    results.put(
        {
            "records_count": len(records),
            "way": way,
            "seconds": round(seconds, 1),
            "peak_memory_gb": round(peak, 2),
            **{name: round(scores[name], 4) for name in ("precision", "recall", "f1")},
        }
    )


def main() -> None:
    """Measure, print and write; other sizes keep their earlier rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[100_000])
    parser.add_argument("--without-splink", action="store_true")
    given = parser.parse_args()
    rows = json.loads(RESULT.read_text()) if RESULT.is_file() else []
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as scratch:
        for count in given.records:
            file = Path(scratch) / "records.parquet"
            size = write_records(file, count)
            ways = list(WAYS)[: 1 if given.without_splink else 2]
            for way in ways:
                results = context.Queue()
                process = context.Process(target=_measure, args=(way, file, results))
                process.start()
                process.join()
                if process.exitcode != 0:
                    print(f"{way} at {size} records failed with exit code {process.exitcode}")
                    continue
                row = results.get()
                rows = [
                    r for r in rows if (r["records_count"], r["way"]) != (row["records_count"], way)
                ]
                rows.append(row)
                print(row, flush=True)
            RESULT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
