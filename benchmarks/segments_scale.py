"""Seconds and memory to fit and assign micro-segments of 10 thousand customers to a million.

Run `python -m benchmarks.segments_scale`; it prints and writes
`benchmarks/results/segments_scale.json`. 40 numeric and categorical features in 7 layers, 4 stages;
each size in a process of its own, so that memory is its own. Whether the groups are right is
measured in segments.py.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from models_py.segmentation import LayerSpec, Microsegmentation

RESULT = Path(__file__).parent / "results" / "segments_scale.json"
FEATURES = 40


def customers(count: int, seed: int) -> pd.DataFrame:
    """Customers of three hidden groups that show in most layers; a tenth is missing."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, count)
    columns: dict[str, object] = {
        "customer_id": [f"c{number:08d}" for number in range(count)],
        "stage": np.array(["active", "at_risk", "churned", "new"])[rng.integers(0, 4, count)],
    }
    for number in range(FEATURES):
        if number % 10 == 9:
            likely = rng.random(count) < 0.8
            text = np.where(likely, np.array(["a", "b", "c"])[group], "d").astype(object)
            text[rng.random(count) < 0.1] = None
            columns[f"f{number}"] = text
        else:
            values = rng.lognormal(0.8 * (group if number % 3 else 0), 0.5, count)
            values[rng.random(count) < 0.1] = np.nan
            columns[f"f{number}_amount"] = values
    return pd.DataFrame(columns)


def measure(count: int) -> dict[str, float]:
    """Fit and assign once."""
    frame = customers(count, 1)
    names = [name for name in frame.columns if name.startswith("f")]
    words = (
        "value",
        "behaviour",
        "price_sensitivity",
        "product",
        "engagement",
        "geography",
        "demography",
    )
    layers = {word: LayerSpec(tuple(names[place::7])) for place, word in enumerate(words)}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started, used = time.perf_counter(), time.process_time()
    model = Microsegmentation(layers, floor=max(30, count // 1000), random_state=1).fit(frame)
    fitted, fit_used = time.perf_counter(), time.process_time()
    segments = model.microsegments(model.predict(frame))
    done, all_used = time.perf_counter(), time.process_time()
    return {
        "customers": count,
        "features": FEATURES,
        "fit_seconds": round(fitted - started, 1),
        "fit_processor_seconds": round(fit_used - used, 1),
        "assign_seconds": round(done - fitted, 1),
        "assign_processor_seconds": round(all_used - fit_used, 1),
        "input_megabytes": round(before),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "microsegments": int(segments["microsegment_key"].nunique()),
    }


def main() -> None:
    """Measure each size in a process of its own, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    rows = []
    for count in arguments.customers:
        answer = subprocess.run(
            [sys.executable, __file__, "--one", str(count)],
            check=True,
            capture_output=True,
            text=True,
        )
        rows.append(json.loads(answer.stdout.strip().splitlines()[-1]))
        print(rows[-1], flush=True)
        RESULT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
