"""What the season's clock wins on a shop with seasons: the retailer, forecast with it and without.

Run `python -m benchmarks.seasons`; it writes `benchmarks/results/seasons.json`. Origins are ends of
months by which two years are known; the clock is found as the pipeline finds it (`find_clock`). A
shop that keeps the models' assumptions is in tests/models/test_lifetime_value_season_forecasts.py.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peer_data import Purchases, load
from benchmarks.peers import rounded
from models_py.lifetime_value import (
    LifetimeValue,
    Sampling,
    find_clock,
    group_purchases,
    group_spend,
    group_weeks,
)
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.measures import better_by, tracking_mape

RESULT = Path(__file__).parent / "results" / "seasons.json"
HORIZONS = (30, 90)
ORIGINS = (dt.date(2025, 6, 30), dt.date(2025, 8, 31), dt.date(2025, 9, 30))
DRAWS = 300


def measure(
    data: Purchases, origin: dt.date, seed: int
) -> tuple[list[dict[str, object]], dict[tuple[str, int], np.ndarray]]:
    """Errors per horizon and time scale; gains in CRPS of the clock (customer, 1) per quantity."""
    batch = data.batch(origin)
    clock, said = find_clock(group_weeks(data.days, origin))
    outcomes = pd.concat(data.outcomes(origin, horizon) for horizon in HORIZONS)
    window = data.window(origin, origin + dt.timedelta(days=max(HORIZONS)))
    ahead = window[window["customer_id"].isin(batch["customer_id"])]["date"]
    days = (ahead - pd.Timestamp(origin)).dt.days.to_numpy()
    rows, evaluated, models = [], {}, {}
    for scale, read_by in (("calendar", None), ("clock", clock)):
        # Without a season the two are one forecast.
        if read_by is None and models:
            models[scale], evaluated[scale] = models["calendar"], evaluated["calendar"]
            continue
        models[scale] = LifetimeValue(
            HORIZONS, draws_kept=DRAWS, sampling=Sampling("importance")
        ).fit(
            group_purchases(batch),
            group_spend(batch),
            clock=read_by,
            as_of_date=origin,
        )
        evaluated[scale] = bt.evaluate(models[scale], batch, outcomes, origin)
    for scale, model in models.items():
        weekly = bt.weekly_tracking(model, batch, days, origin, max(HORIZONS) // 7)
        for horizon, part in evaluated[scale].groupby("horizon_days"):
            tracked = weekly[weekly["week"] * 7 <= horizon]
            row = {"seed": seed, "origin": str(origin), "season": said, "times": scale}
            row |= {"horizon_days": int(horizon), "customers": len(part)}
            for name in bt.QUANTITIES:
                total = part[f"realised_{name}"].sum()
                row[f"{name}_bias"] = float(part[f"predicted_{name}"].sum() / total - 1)
                row[f"{name}_crps"] = float(part[f"{name}_crps"].mean())
            row["tracking_mape"] = tracking_mape(
                tracked["forecast"].to_numpy(), tracked["actual"].to_numpy()
            )
            rows.append(row)
    gains = {}
    for horizon in HORIZONS:
        for name in bt.QUANTITIES:
            crps = [
                part.loc[part["horizon_days"] == horizon, f"{name}_crps"].to_numpy()
                for part in (evaluated["calendar"], evaluated["clock"])
            ]
            gains[name, horizon] = ((crps[0] - crps[1]) / crps[0].mean())[:, None]
    return rows, gains


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--customers", type=int, default=10_000, help="of the simulated retailer")
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    gains: dict[tuple[str, int], list[np.ndarray]] = {}
    for seed in range(1, arguments.seeds + 1):
        data = load("retailer", None, seed, arguments.customers)
        for origin in ORIGINS:
            found, gained = measure(data, origin, seed)
            rows += found
            for key, values in gained.items():
                gains.setdefault(key, []).append(values)
    table = pd.DataFrame(rows)
    by = table.groupby(["horizon_days", "times"])
    shown = by[["orders_crps", "revenue_crps", "tracking_mape"]].mean()
    for name in bt.QUANTITIES:
        shown[f"{name}_absolute_bias"] = by[f"{name}_bias"].apply(lambda bias: bias.abs().mean())
    crps_gain = {}
    for (name, horizon), parts in gains.items():
        mean, drawn = better_by(parts, random_state=horizon)
        low, high = np.quantile(drawn[:, 0], [0.025, 0.975])
        crps_gain[f"{name} {horizon} days"] = {
            "mean": float(mean[0]), "low": float(low), "high": float(high)
        }  # fmt: skip
    result = {
        "command": "python -m benchmarks.seasons",
        "retailer_customers": arguments.customers,
        "seeds": arguments.seeds,
        "family": "mbg_nbd",
        "mean_over_seeds_and_origins": shown.reset_index().to_dict("records"),
        "relative_crps_gain_of_the_clock": crps_gain,
        "runs": rows,
    }
    RESULT.write_text(json.dumps(rounded(result), indent=1) + "\n")
    print(shown.to_string(float_format="%.4g"))
    print(json.dumps(rounded(crps_gain), indent=1))


if __name__ == "__main__":
    main()
