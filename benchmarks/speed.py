"""Time and memory of fitting and scoring, beside pymc-marketing 0.19 in the same run.

Run `python -m benchmarks.speed --customers 10000 --peer-customers 10000 [--peer-python PATH]`; it
writes `benchmarks/results/speed.json`. Without --peer-python it makes a virtual environment with
the peer; --no-peer leaves it out. Every measurement is a process of its own, both sides take turns,
and ratios are medians over --repeats. What the peer computes is in `speed_peer.py`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.speed_peer import HORIZONS_DAYS, peak_memory_gb
from models_py.lifetime_value import LifetimeValue, Sampling, group_purchases, purchases
from models_py.simulate.plain import PlainParameters, simulate_purchases

PEER = "pymc-marketing==0.19.2"
TRUTH = PlainParameters(r=0.5, alpha=6.0, a=0.8, b=2.4, p=6.25, q=3.74, v=15.44)
AS_OF = dt.date(2024, 6, 30)
# The peer's tasks, and ours that answers each.
TASKS = {"score_full": "score", "score": "score", "fit": "fit"}
DRAWS, BATCH = 400, 20_000
RESULT = Path(__file__).parent / "results" / "speed.json"
ROOT = Path(__file__).parent.parent


def write_data(folder: Path, customers: int) -> tuple[Path, Path]:
    """Simulated BG/NBD customers of two years in whole days, and 400 draws around their truth."""
    file, draws_file = folder / f"customers_{customers}.parquet", folder / "draws.parquet"
    frame, _ = simulate_purchases(
        TRUTH, customers, 730, 11, "bg_nbd", horizons_days=(), whole_days=True
    )
    amounts = frame["first_purchase_amount"] + frame["repeat_purchase_amount"]
    frame.assign(observed_revenue_amount=amounts).to_parquet(file)
    noise = np.exp(0.02 * np.random.default_rng(0).standard_normal((DRAWS, 7)))
    centre = {name: getattr(TRUTH, name) for name in ("r", "alpha", "a", "b", "p", "q", "v")}
    pd.DataFrame(noise * list(centre.values()), columns=list(centre)).to_parquet(draws_file)
    return file, draws_file


def fit(file: str) -> dict[str, Any]:
    """Group and draw from the posterior of BG/NBD."""
    import arviz  # noqa: F401  # the peer has imported it as well before it starts

    frame = pd.read_parquet(file)
    start, cpu = time.perf_counter(), time.process_time()
    draws, health = purchases.fit(group_purchases(frame), "bg_nbd", Sampling(), 4000, 1)
    used = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    return used | {
        "posterior_mean": draws.mean().to_dict(),
        "posterior_sd": draws.std().to_dict(),
        **health,
    }


def score(file: str, draws_file: str) -> dict[str, Any]:
    """Everything `predict_with_totals` gives, in batches as the pipeline takes them.

    Means and five quantiles of simulated orders, revenue and present value at four horizons, of
    order value; P(an order), P(alive), next order date; summed draws. The table is not kept: the
    pipeline writes each batch away.
    """
    model = LifetimeValue(HORIZONS_DAYS, purchase_model="bg_nbd", random_state=1)
    model.draws_ = pd.read_parquet(draws_file)
    frame = pd.read_parquet(file)
    start = time.perf_counter()
    model.predict(frame.head(1), AS_OF)
    first = time.perf_counter() - start
    expected = np.zeros(len(HORIZONS_DAYS))
    start, cpu = time.perf_counter(), time.process_time()
    for begin in range(0, len(frame), BATCH):
        table, _ = model.predict_with_totals(frame.iloc[begin : begin + BATCH], AS_OF)
        expected += table.groupby("horizon_days")["predicted_orders_mean"].sum().to_numpy()
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "first_call_seconds": first,
        "expected_orders": expected.tolist(),
    }


def measure(command: list[str]) -> dict[str, Any]:
    """Run a task in a process of its own and read the JSON on its last line."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def peer_python(folder: Path) -> str:
    """A new virtual environment with the peer."""
    venv.create(folder / "peer", with_pip=True)
    python = str(folder / "peer" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", PEER, "nutpie"], check=True)
    return python


def compare(
    tasks: list[tuple[str, str]], file: Path, draws_file: Path, python: str | None, repeats: int
) -> Iterator[dict[str, Any]]:
    """Each of our tasks and the peer's beside it, in turn; medians and ratios."""
    script = str(Path(__file__).with_name("speed_peer.py"))
    for ours, theirs in tasks:
        runs: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
        for _ in range(repeats):
            arguments = [ours, str(file), str(draws_file)]
            runs["ours"].append(measure([sys.executable, __file__, "--task", *arguments]))
            if python:
                arguments = [theirs, str(file), str(draws_file)]
                runs["peer"].append(measure([python, script, *arguments]))
        row: dict[str, Any] = {
            "task": ours,
            "peer_task": theirs,
            "load_average": os.getloadavg()[0],
        }
        for side, found in runs.items():
            if found:
                numbers = {"seconds", "cpu_seconds", "peak_memory_gb"}
                row[side] = found[-1] | {
                    name: statistics.median(run[name] for run in found) for name in numbers
                }
        if python:
            row["peer_by_ours"] = {
                name: round(row["peer"][name] / row["ours"][name], 2)
                for name in ("seconds", "cpu_seconds", "peak_memory_gb")
            }
        print(json.dumps(row), flush=True)
        yield row


def main() -> None:
    """Measure, print and write; other sizes keep their earlier rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--customers", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--peer-customers", type=int, nargs="*", default=[100_000])
    parser.add_argument("--peer-python")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--peer-tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    if given.task:
        task, file, draws_file = given.task
        result = fit(file) if task == "fit" else score(file, draws_file)
        print(json.dumps(result | {"peak_memory_gb": peak_memory_gb()}))
        return
    kept = json.loads(RESULT.read_text()) if RESULT.is_file() else []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        python = None if given.no_peer else given.peer_python or peer_python(folder)
        for customers in sorted({*given.customers, *given.peer_customers}):
            file, draws_file = write_data(folder, customers)
            with_peer = python if customers in given.peer_customers else None
            tasks = [(TASKS[name], name) for name in given.peer_tasks]
            for row in compare(tasks, file, draws_file, with_peer, given.repeats):
                same = ("customers", "task", "peer_task")
                row |= {"customers": customers, "draws": DRAWS, "repeats": given.repeats}
                kept = [old for old in kept if any(old[name] != row[name] for name in same)]
                kept.append(row)
                RESULT.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
