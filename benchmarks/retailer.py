"""How the line fares on a shop that breaks its assumptions: PIT of 180-day value, persons found.

Run `python -m benchmarks.retailer --customers 20000 --seed 7`; it runs the real command in a folder
of its own and writes `benchmarks/results/retailer.json`. `--home` keeps that folder for
`segments.py`, which reads finished runs.
Coverage under the model's own assumptions is coverage_plain.py; nothing here tunes the pipeline.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pandas as pd

from models_py.record_linkage import pairwise_scores
from models_py.simulate import write_retailer

ROOT = Path(__file__).resolve().parent.parent
RESULT = Path(__file__).parent / "results" / "retailer.json"
CALIBRATION = """
    select origin_date, horizon_days, slice, quantity, pit_coverage, observed_coverage,
        customers_count
    from predictions.ltv_calibration
    where nominal_level = 0.9 and is_in_force and level = 'customer'
        and as_of_date = (select max(as_of_date) from predictions.ltv_calibration)
    order by horizon_days, origin_date, quantity, slice
"""
BACKTESTS = """
    select origin_date, horizon_days, model, metric, value from predictions.ltv_backtests
    where slice = 'all' and as_of_date = (select max(as_of_date) from predictions.ltv_backtests)
        and metric in ('revenue_bias', 'orders_bias', 'revenue_mae', 'orders_mae',
            'revenue_spearman')
    order by horizon_days, origin_date, metric, model
"""


def run_line(
    home: Path, customers: int, seed: int, *arguments: str, settings: dict[str, str] | None = None
) -> Path:
    """Simulate a chain and run the real command in `home`; the path of the warehouse.

    `settings` are texts of config.yml and what stands there instead.
    """
    write_retailer(home / "retailer", home / "truth", customers, seed)
    text = (ROOT / "config.yml").read_text()
    zone = {"business_time_zone: UTC\n": "business_time_zone: Europe/Madrid\n"}
    for shipped, ours in (zone | (settings or {})).items():
        assert shipped in text, shipped
        text = text.replace(shipped, ours)
    (home / "config.yml").write_text(text)
    warehouse = home / "work.duckdb"
    environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"} | {
        "CLIENTELA_HOME": str(home),
        "CLIENTELA_CONFIG": str(home / "config.yml"),
        "CLIENTELA_DATASET": str(home / "retailer"),
        "CLIENTELA_WAREHOUSE": str(warehouse),
        "CLIENTELA_PUBLISHED": str(home / "copy.duckdb"),
    }
    command = [sys.executable, "-m", "dagster_project.cli", "run", *arguments]
    with (home / "run.log").open("w") as log:
        subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=log)
    return warehouse


def measure(home: Path, customers: int, seed: int) -> dict[str, object]:
    """Run the line in `home`; read calibration, errors and identity off the warehouse."""
    started = time.perf_counter()
    warehouse = run_line(home, customers, seed)
    seconds = time.perf_counter() - started
    truth = pd.read_parquet(home / "truth" / "person_records.parquet")
    truth.loc[truth["kind"] == "device", "source_system"] = "device"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        mapped = connection.sql("select * from identity.customers_map").df()
        # Records that staging refused are nobody's; the truth knows them all the same.
        known = truth.merge(mapped[["source_system", "source_record_id"]])
        calibration = connection.sql(CALIBRATION).df()
        backtests = connection.sql(BACKTESTS).df()
    return {
        "customers": customers,
        "seed": seed,
        "seconds": round(seconds, 1),
        "records_quarantined": len(truth) - len(known),
        "identity": pairwise_scores(mapped, known),
        "calibration": _rows(calibration),
        "backtests": _rows(backtests),
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    frame = frame.assign(origin_date=frame["origin_date"].astype(str)).round(4)
    return frame.to_dict("records")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--home", type=Path, help="new folder that keeps the run; else none does")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clientela-bench-") as scratch:
        result = measure(given.home or Path(scratch), given.customers, given.seed)
    RESULT.write_text(json.dumps(result, indent=1, default=float) + "\n")
    shown = pd.DataFrame(result["calibration"])
    print(shown[shown["horizon_days"] == 180].to_string(index=False))
    print(json.dumps(result["identity"], indent=1, default=float))


if __name__ == "__main__":
    main()
