"""Which correction of intervals holds on later windows? Asked of simulated shops only.

Run `python -m benchmarks.recalibration` (about 15 minutes on two processors); it writes
`benchmarks/results/recalibration.json`. Corrections are learned on 1, 2 or 4 windows and judged on
the next four at most; what the chosen one does on public sets is `calibration.py`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peer_data import Purchases, load
from benchmarks.peers import rounded
from models_py.lifetime_value import (
    LifetimeValue,
    Recalibration,
    Sampling,
    group_purchases,
    group_spend,
    measures,
)
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.recalibration import LEVELS

RESULT = Path(__file__).parent / "results" / "recalibration.json"
HORIZONS, WINDOWS, MONTHS = (30, 90), (1, 2, 4), 21
# Spread of the log rate by month; how much of it stays; spread of each customer's own, of which 0.8
# stays from month to month.
WORLDS = {
    "plain": (0.0, 0.0, 0.0),
    "months10": (0.10, 0.0, 0.0),
    "months20": (0.20, 0.0, 0.0),
    "persistent": (0.15, 0.7, 0.0),
    "wander": (0.0, 0.0, 0.6),
    "wander_months": (0.15, 0.0, 0.6),
}
FREQUENT = ("plain", "months10", "months20", "wander", "wander_months")


def world(name: str, seed: int) -> Purchases:
    """Purchase days of 2,000 MBG/NBD customers, or of 900 who buy once a week."""
    is_frequent = name.startswith("frequent ")
    count = 900 if is_frequent else 2000
    by_month, stays, by_customer = WORLDS[name.removeprefix("frequent ")]
    rng = np.random.default_rng(seed)
    starts = pd.date_range("2024-01-01", periods=MONTHS + 1, freq="MS")
    edges = (starts - starts[0]).days.to_numpy().astype(float)
    entry = rng.uniform(0, edges[-1] * 0.8, count)
    rate, leaving = rng.gamma(0.8, 0.2, count), rng.beta(0.9, 4.0, count)
    if is_frequent:
        rate, leaving = rng.gamma(2.0, 0.5, count), rng.beta(0.5, 30.0, count)
    repeats = rng.geometric(np.clip(leaving, 1e-9, 1.0)) - 1
    own = rng.normal(0.0, by_customer, count) if by_customer else np.zeros(count)
    shocks = rng.normal(0.0, by_month, MONTHS) if by_month else np.zeros(MONTHS)
    speeds, shared = [], 0.0
    for shock in shocks:
        shared = stays * shared + shock
        speeds.append(np.exp(shared + own - by_customer**2 / 2.0))
        if by_customer:
            own = 0.8 * own + rng.normal(0.0, 0.6 * by_customer, count)
    owners, times = [np.arange(count)], [entry]
    for month, speed in enumerate(speeds):
        start = np.maximum(edges[month], entry)
        width = np.clip(edges[month + 1] - start, 0.0, None)
        owner = np.repeat(np.arange(count), rng.poisson(rate / 7.0 * speed * width))
        owners.append(owner)
        times.append(start[owner] + rng.random(len(owner)) * width[owner])
    table = pd.DataFrame({"owner": np.concatenate(owners), "time": np.concatenate(times)})
    table = table.sort_values(["owner", "time"], kind="stable", ignore_index=True)
    table = table[table.groupby("owner").cumcount() <= repeats[table["owner"]]]
    level = rng.gamma(4.0, 1.0 / 40.0, count)
    table["amount"] = rng.gamma(3.0, 1.0 / level[table["owner"]]) + 0.01
    table["date"] = starts[0] + pd.to_timedelta(table["time"].astype(int), unit="D")
    table["customer_id"] = "c" + table["owner"].astype(str)
    days = table.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    end = (starts[-1] - pd.Timedelta(days=1)).date()
    return Purchases(name, days, end, end)


def forecasts(data: Purchases) -> dict[tuple[int, dt.date], pd.DataFrame]:
    """PIT of every month-end from the sixth month, by a fit that is renewed every quarter."""
    found: dict[tuple[int, dt.date], pd.DataFrame] = {}
    ends = pd.date_range(data.days["date"].min() + pd.DateOffset(months=6), data.end, freq="ME")
    for number, day in enumerate(end.date() for end in ends):
        horizons = [h for h in HORIZONS if day + dt.timedelta(days=h) <= data.end]
        if not horizons:
            continue
        batch = data.batch(day)
        if number % 3 == 0:
            model = LifetimeValue(
                HORIZONS, draws_kept=200, sampling=Sampling("importance"), random_state=1
            )
            model.fit(group_purchases(batch), group_spend(batch))
        outcomes = pd.concat(data.outcomes(day, horizon) for horizon in horizons)
        rows = bt.evaluate(bt.with_other_settings(model, horizons), batch, outcomes, day)
        for horizon in horizons:
            found[horizon, day] = rows[rows["horizon_days"] == horizon].reset_index(drop=True)
    return found


def by_quantiles(symmetric: bool, wider_only: bool, windows: float) -> Callable:
    """Nominal levels replaced by quantiles of the PIT, drawn towards none as by `windows`."""
    nominal = np.asarray(LEVELS)

    def quantiles(pit: np.ndarray, prior: np.ndarray) -> np.ndarray:
        own = np.quantile(np.concatenate([pit, 1.0 - pit]) if symmetric else pit, LEVELS)
        return (len(pit) * own + 100.0 * prior) / (len(pit) + 100.0)

    def learn(parts: list[pd.DataFrame]) -> Recalibration:
        learned = Recalibration.learn(pd.concat(parts))
        rows = pd.concat(parts)
        x, amount = rows["x"].to_numpy(), rows["predicted_revenue"].to_numpy()
        weight = len(parts) / (len(parts) + windows)
        for (horizon, quantity, name), old in learned.levels.items():
            pit = rows[f"{quantity}_pit"].to_numpy()
            is_top = amount >= learned.top_from[horizon]
            mine = {"top": is_top, "repeat": ~is_top & (x > 0), "one_time": ~is_top & (x == 0)}
            prior = quantiles(pit, nominal)
            own = quantiles(pit[mine[name]], prior) if mine[name].any() else prior
            new = nominal + weight * (own - nominal)
            if wider_only:
                new = np.where(nominal < 0.5, np.minimum(new, nominal), np.maximum(new, nominal))
            old[:] = np.maximum.accumulate(new)
        return learned

    return learn


CORRECTIONS: dict[str, Callable[[list[pd.DataFrame]], Recalibration]] = {
    "quantiles of the PIT": by_quantiles(False, False, 0.0),
    "quantiles, towards none as by 4 windows": by_quantiles(False, False, 4.0),
    "symmetric": by_quantiles(True, False, 0.0),
    "symmetric, wider only": by_quantiles(True, True, 0.0),
    "symmetric, wider only, as by 1 window": by_quantiles(True, True, 1.0),
    "one width, wider only (chosen)": lambda parts: Recalibration.learn(pd.concat(parts)),
}


def judge(found: dict[tuple[int, dt.date], pd.DataFrame]) -> list[dict[str, object]]:
    """Share of revenue's PIT in the central 90 % on later windows, per correction and slice."""
    rows: list[dict[str, object]] = []
    for horizon in HORIZONS:
        chosen: list[dt.date] = []
        for day in sorted((d for h, d in found if h == horizon), reverse=True):
            if not chosen or day + dt.timedelta(days=horizon) <= chosen[0]:
                chosen.insert(0, day)
        for windows in WINDOWS:
            for start in range(0, len(chosen) - windows, max(windows // 2, 1)):
                middle = start + windows
                learned_on = [found[horizon, day] for day in chosen[start:middle]]
                later = pd.concat(found[horizon, day] for day in chosen[middle : middle + 4])
                amount = later["predicted_revenue"].to_numpy()
                slices = {
                    "all": np.ones(len(later), dtype=bool),
                    "repeat": later["x"].to_numpy() > 0,
                    "top": amount >= np.quantile(amount, 0.9),
                }
                pits = {"none": later["revenue_pit"].to_numpy()} | {
                    name: learn(learned_on).recalibrated_pit(later)["revenue_recalibrated_pit"]
                    for name, learn in CORRECTIONS.items()
                }
                rows += [
                    {"correction": name, "case": (horizon, windows, start), "slice": part,
                     "error": measures.pit_share(pit[mine], 0.9) - 0.9}
                    for name, pit in pits.items() for part, mine in slices.items()
                ]  # fmt: skip
    return rows


def summary(table: pd.DataFrame) -> dict[str, object]:
    """Per correction: cases with all slices within 3 points, and the root mean square error."""
    cases = table.groupby(["correction", "world", "seed", "case"])["error"]
    within = cases.agg(lambda errors: (errors.abs() <= 0.03).all())
    square = table.assign(square=table["error"] ** 2).groupby(["correction", "world"])["square"]
    return {
        name: {
            "within_3_points": within[name].mean(),
            "error_at_90": float(
                np.sqrt((table["error"][table["correction"] == name] ** 2).mean())
            ),
            "within_by_world": within[name].groupby("world").mean().to_dict(),
            "error_by_world": np.sqrt(square.mean()[name]).to_dict(),
        }
        for name in ["none", *CORRECTIONS]
    }


def main() -> None:
    """Simulate, forecast, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    shops = [(name, seed) for name in WORLDS for seed in range(1, arguments.seeds + 1)]
    shops += [(f"frequent {name}", s) for name in FREQUENT for s in range(1, arguments.seeds + 1)]
    shops += [("retailer", 10 + seed) for seed in range(1, arguments.seeds + 1)]
    parts = []
    for name, seed in shops:
        data = load("retailer", None, seed, 2500) if name == "retailer" else world(name, seed)
        parts.append(pd.DataFrame(judge(forecasts(data))).assign(world=name, seed=seed))
        print(name, seed, flush=True)
    found = summary(pd.concat(parts, ignore_index=True))
    arguments.output.write_text(
        json.dumps({"command": "python -m benchmarks.recalibration"} | rounded(found), indent=1)  # type: ignore[operator]
        + "\n"
    )
    print(pd.DataFrame(found).T[["within_3_points", "error_at_90"]])


if __name__ == "__main__":
    main()
