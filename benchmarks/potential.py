"""Potential value against planted truth: is the attainable share recovered, does the gap rank?

Run `python -m benchmarks.potential --customers 20000 --seeds 4`; it writes
`benchmarks/results/potential.json`. Two worlds for each seed: the simulated retailer with a planted
ceiling that is lifted person by person, and the same shop without one.
How the shop becomes customers is potential_data.py; small versions of this run as tests.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.potential_data import (
    END,
    FEATURES,
    customers_at,
    fitted,
    forecast,
    never_released,
    outcomes,
    simulate_shop,
)
from models_py.segmentation.comparison import compare
from models_py.segmentation.peers import PeerRules
from models_py.segmentation.potential import attainable_share, origin_slope
from models_py.simulate import Ceiling

RESULT = Path(__file__).parent / "results" / "potential.json"
HORIZON = 60
ORIGINS = 7
TOLD = ("categories_count", "average_order_amount", "median_gap_days", "discount_share")


def measure(customers: int, seed: int, share: float) -> dict[str, object]:
    """One shop: past dates a horizon apart, each forecast by the fit of the first."""
    shop = simulate_shop(customers, seed, Ceiling(share) if share else None)
    twin = never_released(shop, seed) if share else shop
    days = [END - dt.timedelta(days=HORIZON * back) for back in range(ORIGINS, 0, -1)]
    model, past, true_slopes, ranks, seconds = None, [], [], {}, 0.0
    gap_share = []
    for day in days:
        frame = customers_at(shop, day)
        model = model or fitted(frame, (HORIZON,), 1)
        frame, value = forecast(frame, model, day, HORIZON)
        predicted = value["predicted_revenue_mean"].to_numpy()
        started = time.perf_counter()
        compared, benchmark = compare(frame, FEATURES, TOLD, predicted[:, None], PeerRules())
        seconds += time.perf_counter() - started
        after = outcomes(shop, frame, day, HORIZON)
        known = compared["peers_count"] > 0
        gap = np.maximum(0.0, benchmark[:, 0] - predicted)[known]
        gap_share.append(float(gap.sum() / predicted[known].sum()))
        row = frame[["customer_id"]].assign(
            predicted=predicted, benchmark=benchmark[:, 0], realised=after["realised"]
        )
        past.append(row)
        if not share:
            continue
        # What releases did to realised less predicted: more money came, and forecasts knew part.
        held = model.predict(customers_at(twin, day), day).set_index("customer_id")
        known_part = predicted - held["predicted_revenue_mean"].reindex(frame["customer_id"])
        caused = after["released"].to_numpy() - known_part.to_numpy()
        truth = origin_slope(row.assign(realised=predicted + caused))
        true_slopes.append(truth.slope if truth else float("nan"))
        ranks[str(day)] = rank_truth(gap, predicted[known], after["unrealised"].to_numpy()[known])
    found = attainable_share(past)
    true_share = float(np.mean(true_slopes)) if share else 0.0
    return {
        "seed": seed,
        "ceiling_share": share,
        "true_share": round(true_share, 4),
        "true_share_by_origin": np.round(true_slopes, 4).tolist(),
        "slope": round(found.slope, 4),
        "slope_p05": round(found.slope_p05, 4),
        "slope_p95": round(found.slope_p95, 4),
        "basis": found.basis,
        "holds_truth": bool(found.slope_p05 <= true_share <= found.slope_p95),
        "gap_to_predicted": round(float(np.mean(gap_share)), 3),
        "customers": found.customers_count,
        "compare_seconds": round(seconds, 1),
        "ranking": ranks,
    }


def rank_truth(
    gap: np.ndarray, predicted: np.ndarray, unrealised: np.ndarray, bootstraps: int = 200
) -> dict[str, object]:
    """How well gap and predicted value order customers by true unrealised value.

    Spearman's correlation, and the area under the curve of having any; predicted value is given the
    better of its two directions. The difference has a bootstrap 90 % interval over customers.
    """
    chance = np.random.default_rng(7)
    size = len(gap)

    def scores(rows: np.ndarray) -> tuple[float, float, float, float]:
        part = pd.DataFrame(
            {"gap": gap[rows], "value": predicted[rows], "truth": unrealised[rows]}
        ).rank()
        by_rank = part.corr()["truth"]
        is_held = unrealised[rows] > 0
        count = is_held.sum()
        area = {
            name: (part[name][is_held].sum() - count * (count + 1) / 2) / count / (size - count)
            for name in ("gap", "value")
        }
        value_area = max(area["value"], 1 - area["value"])
        return by_rank["gap"], abs(by_rank["value"]), area["gap"], value_area

    every = scores(np.arange(size))
    drawn = np.array([scores(chance.integers(0, size, size)) for _ in range(bootstraps)])
    gains = np.column_stack([drawn[:, 0] - drawn[:, 1], drawn[:, 2] - drawn[:, 3]])
    low, high = np.quantile(gains, [0.05, 0.95], axis=0)
    names = ("gap_spearman", "predicted_spearman", "gap_area", "predicted_area")
    return {name: round(float(one), 3) for name, one in zip(names, every, strict=True)} | {
        "spearman_gain_p05_p95": [round(float(low[0]), 3), round(float(high[0]), 3)],
        "area_gain_p05_p95": [round(float(low[1]), 3), round(float(high[1]), 3)],
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--ceiling", type=float, default=0.35)
    arguments = parser.parse_args()
    rows: list[dict[str, object]] = []
    for seed in range(1, arguments.seeds + 1):
        for share in (arguments.ceiling, 0.0):
            rows.append(measure(arguments.customers, seed, share))
            print({k: v for k, v in rows[-1].items() if k != "ranking"}, flush=True)
            result = {"horizon_days": HORIZON, "origins": ORIGINS, "persons": arguments.customers}
            RESULT.write_text(json.dumps(result | {"runs": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
