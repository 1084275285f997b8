"""Time and peak memory of the linkage at 100,000 and 1,000,000 simulated records.

Run `python -m benchmarks.linkage_scale --records 100000 1000000`; it writes
`benchmarks/results/linkage_scale.json`, one row per way and size, plain Splink in the same run.
Accuracy on known truth is measured by `linkage.py`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path

import pandas as pd

from benchmarks.linkage import our_persons
from benchmarks.linkage_baselines import splink_persons
from benchmarks.linkage_data import retailer
from models_py.record_linkage import pairwise_scores

RESULT = Path(__file__).parent / "results" / "linkage_scale.json"
RECORDS_PER_CUSTOMER = 1.59
PART_RECORDS = 100_000
WAYS = {"clientela": our_persons, "splink_defaults": splink_persons}


def write_records(file: Path, count: int) -> int:
    """Simulate chains with at least `count` records and keep that many.

    Each simulation makes a hundred thousand records at most; larger sets are several of them, whose
    people share names, streets and towns but nothing of their own.
    """
    from models_py.simulate import write_retailer

    parts = []
    for number, start in enumerate(range(0, count, PART_RECORDS)):
        size = min(PART_RECORDS, count - start)
        with tempfile.TemporaryDirectory() as scratch:
            source, truth = Path(scratch) / "source", Path(scratch) / "truth"
            customers = int(size / RECORDS_PER_CUSTOMER * 1.03)
            write_retailer(source, truth, customers, 11 + number)
            part = retailer(source, truth).head(size)
        for column in ("source_record_id", "person_id", "household_id", "loyalty_id"):
            part[column] = f"{number}-" + part[column]
        parts.append(part)
    records = pd.concat(parts, ignore_index=True)
    records.to_parquet(file)
    return len(records)


def _measure(way: str, file: Path, results: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    """Run in a process of its own, so that peak memory is that of one way."""
    records = pd.read_parquet(file)
    start, cpu = time.perf_counter(), time.process_time()
    persons, details = WAYS[way](records.drop(columns=["person_id", "household_id"]))
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    # ru_maxrss would be that of the parent, which simulated: it survives exec on Linux.
    peak = _memory_gb("self", "VmHWM")
    scores = pairwise_scores(persons, records)
    row: dict[str, object] = {
        "is_finished": True,
        "seconds": round(seconds, 1),
        # Of all threads: what is comparable when other work shares the machine.
        "cpu_seconds": round(cpu, 1),
        "peak_memory_gb": round(peak, 2),
        **{name: round(scores[name], 4) for name in ("precision", "recall", "f1")},
    }
    if "candidate_pairs" in details:
        row["candidate_pairs_per_record"] = round(details["candidate_pairs"] / len(records), 1)
    results.put(row)


def _memory_gb(process: int | str, kind: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    # A process that has just ended has a status without memory.
    found = status.partition(f"{kind}:")[2].split()
    return int(found[0]) / 1024**2 if found else 0.0


def run(way: str, file: Path, max_minutes: float, max_memory_gb: float) -> dict[str, object]:
    """Measure one way; one that takes too long or too much is stopped and the row says so."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_measure, args=(way, file, results))
    start = time.perf_counter()
    process.start()
    peak, reason = 0.0, ""
    while process.is_alive():
        process.join(2)
        if not process.is_alive():
            break
        peak = max(peak, _memory_gb(process.pid or 0, "VmRSS"))
        if peak > max_memory_gb:
            reason = f"more than {max_memory_gb:g} GB"
        elif time.perf_counter() - start > 60 * max_minutes:
            reason = f"no result after {max_minutes:g} minutes"
        if reason:
            process.kill()
            process.join()
    if process.exitcode == 0:
        row: dict[str, object] = results.get()
        return row
    return {
        "is_finished": False,
        "stopped_because": reason or f"exit code {process.exitcode}",
        "seconds": round(time.perf_counter() - start, 1),
        "peak_memory_gb": round(peak, 2),
    }


def main() -> None:
    """Measure, print and write; other sizes keep their earlier rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[100_000])
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--keep", type=Path, help="folder for the simulated records")
    parser.add_argument("--max-minutes", type=float, default=60)
    parser.add_argument("--max-memory-gb", type=float, default=12)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for count in given.records:
            file = (given.keep or Path(scratch)) / f"records_{count}.parquet"
            size = len(pd.read_parquet(file)) if file.is_file() else write_records(file, count)
            for way in given.ways:
                row = {"records_count": size, "way": way}
                row |= run(way, file, given.max_minutes, given.max_memory_gb)
                print(row, flush=True)
                known = json.loads(RESULT.read_text()) if RESULT.is_file() else []
                rows = [r for r in known if (r["records_count"], r["way"]) != (size, way)]
                rows = sorted([*rows, row], key=lambda r: (r["records_count"], r["way"]))
                RESULT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
