"""Do intervals hold on dates that nothing was chosen by? Public sets, and the retailer over seeds.

Run `python -m benchmarks.calibration --data FOLDER`; it writes
`benchmarks/results/calibration.json`. Origins are month-ends, roles those of the pipeline
(`dagster_project.backtesting.plan`): corrections are learned on R and judged on later O. What other
libraries reach is `peers.py`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peer_data import SETS, Purchases, load, origins
from benchmarks.peers import rounded
from dagster_project import backtesting
from models_py.lifetime_value import (
    LifetimeValue,
    Recalibration,
    Sampling,
    group_purchases,
    group_spend,
    measures,
)
from models_py.lifetime_value import backtest as bt

RESULT = Path(__file__).parent / "results" / "calibration.json"
HORIZONS = (30, 90)
DRAWS = 300


def measure(data: Purchases) -> dict[str, object]:
    """Shares of randomised PIT inside the central 90 % on O, raw and recalibrated, per slice."""
    plan = backtesting.plan(origins(data, data.end, min(HORIZONS)), data.end, HORIZONS)
    found: dict[tuple[int, dt.date], pd.DataFrame] = {}
    # The family is fixed here, so nothing is selected on S.
    used = {(h, day) for h, roles in plan.items() for day, role in roles.items() if role != "S"}
    for day in sorted({day for _, day in used}):
        horizons = tuple(horizon for horizon in HORIZONS if (horizon, day) in used)
        batch = data.batch(day)
        model = LifetimeValue(
            horizons, draws_kept=DRAWS, sampling=Sampling("importance"), random_state=1
        ).fit(group_purchases(batch), group_spend(batch))
        outcomes = pd.concat(data.outcomes(day, horizon) for horizon in horizons)
        evaluated = bt.evaluate(model, batch, outcomes, day)
        for horizon in horizons:
            found[horizon, day] = evaluated[evaluated["horizon_days"] == horizon]
    result: dict[str, object] = {}
    for horizon, roles in plan.items():
        of = {
            role: [found[horizon, day] for day, name in roles.items() if name == role]
            for role in "RO"
        }
        learned = Recalibration.learn(pd.concat(of["R"])) if of["R"] else None
        shares: dict[str, dict[str, float]] = {}
        status_rows = []
        for day, rows in zip([d for d, r in roles.items() if r == "O"], of["O"], strict=True):
            best = np.zeros(len(rows), dtype=bool)
            order = np.argsort(-rows["predicted_revenue"].to_numpy(), kind="stable")
            best[order[: max(len(rows) // 10, 1)]] = True
            slices = {
                "all": np.ones(len(rows), dtype=bool),
                "repeat_buyers": (rows["x"] > 0).to_numpy(),
                "top_decile": best,
            }
            again = learned.recalibrated_pit(rows) if learned else None
            for quantity in bt.QUANTITIES:
                raw = rows[f"{quantity}_pit"].to_numpy()
                mended = again[f"{quantity}_recalibrated_pit"] if again else raw
                for name, mine in slices.items():
                    if not mine.any():  # AdventureWorks has no repeat buyer before July 2018.
                        continue
                    key = f"{quantity} {name}"
                    cell = shares.setdefault(key, {"raw": 0.0, "recalibrated": 0.0, "customers": 0})
                    cell["raw"] += measures.pit_share(raw[mine], 0.9) * mine.sum()
                    cell["recalibrated"] += measures.pit_share(mended[mine], 0.9) * mine.sum()
                    cell["customers"] += int(mine.sum())
                    if quantity == "revenue":
                        share = measures.pit_share(mended[mine], 0.9)
                        status_rows.append((day, name, share, int(mine.sum())))
        for cell in shares.values():
            cell["raw"] /= cell["customers"]
            cell["recalibrated"] /= cell["customers"]
        result[f"{horizon} days"] = {
            "origins": {str(day): role for day, role in roles.items()},
            "status": backtesting.status_of(status_rows),
            "pit_share_on_O": shares,
        }
    return result


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--customers", type=int, default=2500, help="of the simulated retailer")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    known = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    result: dict[str, object] = known | {
        "command": "python -m benchmarks.calibration --data FOLDER",
        "retailer_customers": arguments.customers,
        "family": "mbg_nbd",
    }
    for name in arguments.sets:
        for seed in range(1, arguments.seeds + 1) if name == "retailer" else [0]:
            started = time.perf_counter()
            data = load(name, arguments.data, seed, arguments.customers)
            key = f"{name} seed {seed}" if name == "retailer" else name
            result[key] = rounded(measure(data))
            arguments.output.write_text(json.dumps(result, indent=1) + "\n")
            print(key, f"{time.perf_counter() - started:.0f} s", flush=True)
            for horizon, found in result[key].items():  # type: ignore[attr-defined]
                table = pd.DataFrame(found["pit_share_on_O"]).T
                print(horizon, found["status"], "\n", table)


if __name__ == "__main__":
    main()
