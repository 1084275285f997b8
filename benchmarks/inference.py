"""Fast inference against long Markov chains on simulated shops, and its own alarm.

Run `python -m benchmarks.inference`; it writes `benchmarks/results/inference.json`.
Whether the posteriors themselves are right is measured in `benchmarks/sbc.py`.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.purchase_data import simulate
from benchmarks.sbc import prior_draw
from models_py.lifetime_value import Sampling, purchases
from models_py.posterior import GATES

RESULT = Path(__file__).parent / "results" / "inference.json"
TRUTH = {
    "mbg_nbd": {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4},
    "bg_nbd": {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4},
    "pareto_nbd": {"r": 0.6, "alpha": 6.0, "s": 0.8, "beta": 15.0},
}
LIMITS = {"mean_sds": 0.1, "sd_relative": 0.05, "p05_sds": 0.1, "p95_sds": 0.1}
CHAIN_ESS = 10_000
GRID_WEEKS = 8.0
DRAWS = 20_000


def shop(family: str, customers: int, seed: int) -> pd.DataFrame:
    """Purchase groups of a shop with three cohorts; times to the nearest 8 weeks, never 0.

    On daily times the reference chains of 200,000 customers would run for hours; both methods
    see the same groups, and what is compared is the same posterior.
    """
    generator = np.random.default_rng(seed)
    tenure = GRID_WEEKS * generator.integers(7, 10, customers)
    groups = simulate(family, TRUTH[family], tenure, generator).groups()
    step = 7.0 * GRID_WEEKS
    is_repeat = groups["repeat_purchases_count"] > 0
    steps = np.maximum(np.rint(groups["active_span_days"] / step), is_repeat)
    groups["active_span_days"] = steps * step
    keys = ["repeat_purchases_count", "active_span_days", "tenure_days"]
    return groups.groupby(keys, as_index=False)["customers_count"].sum()


def long_chains(groups: pd.DataFrame, family: str) -> tuple[pd.DataFrame, dict[str, float]]:
    """Chains, made longer until the effective sample of every parameter is large enough."""
    draws_count = 4000
    while True:
        settings = Sampling("nuts", draws=draws_count, tune=1000)
        draws, health = purchases.fit(groups, family, settings, 4 * draws_count, 1)
        ess = min(health["ess_bulk_min"], health["ess_tail_min"])
        if ess >= CHAIN_ESS:
            return draws, health
        draws_count = int(draws_count * min(3.0, 1.2 * CHAIN_ESS / ess))


def compare(family: str, customers: int) -> list[dict[str, object]]:
    """One row per parameter: how far the two posteriors are apart, in sds of the chains."""
    groups = shop(family, customers, 1)
    started = time.perf_counter()
    fast, weights = purchases.fit(groups, family, Sampling("importance"), DRAWS, 1)
    fast_seconds = time.perf_counter() - started
    started = time.perf_counter()
    chains, health = long_chains(groups, family)
    chain_seconds = time.perf_counter() - started
    rows: list[dict[str, object]] = []
    for name in chains:
        exact, near = chains[name], fast[name]
        sd = exact.std()
        apart = {
            "mean_sds": (near.mean() - exact.mean()) / sd,
            "sd_relative": near.std() / sd - 1.0,
            "p05_sds": (near.quantile(0.05) - exact.quantile(0.05)) / sd,
            "p95_sds": (near.quantile(0.95) - exact.quantile(0.95)) / sd,
        }
        rows.append(
            {"family": family, "customers": customers, "groups": len(groups), "parameter": name}
            | {measure: round(float(value), 4) for measure, value in apart.items()}
            | {
                "is_within_limits": all(abs(apart[key]) <= LIMITS[key] for key in LIMITS),
                "k_hat": round(weights["k_hat"], 3),
                "weights_ess": round(weights["ess_bulk_min"]),
                "chain_ess_bulk_min": round(health["ess_bulk_min"]),
                "chain_ess_tail_min": round(health["ess_tail_min"]),
                "chain_rhat_max": round(health["rhat_max"], 4),
                "fast_seconds": round(fast_seconds, 1),
                "chain_seconds": round(chain_seconds, 1),
            }
        )
    return rows


def k_hats(family: str, customers: int, seeds: int) -> list[float]:
    """k-hat of the fast inference on shops of `seeds` seeds."""
    return [
        round(
            purchases.fit(shop(family, customers, s), family, Sampling("importance"), 10, s)[1][
                "k_hat"
            ],
            3,
        )
        for s in range(seeds)
    ]


def fallback(family: str, first_seed: int = 0) -> dict[str, object]:
    """The first shop of 300 customers drawn from the priors whose weights cannot be trusted.

    `auto` must answer it with chains, whose draws are compared with those of the bad weights.
    """
    for seed in range(first_seed, first_seed + 200):
        generator = np.random.default_rng([seed, purchases.MODELS.index(family)])
        at = prior_draw(family, generator)
        groups = simulate(family, at, generator.uniform(13.0, 78.0, 300), generator).groups()
        bad, weights = purchases.fit(groups, family, Sampling("importance"), 4000, seed)
        if weights["k_hat"] > GATES["k_hat"][1]:
            break
    draws, health = purchases.fit(groups, family, Sampling("auto"), 4000, seed)
    return {
        "family": family,
        "seed": seed,
        "k_hat": round(weights["k_hat"], 3),
        "answered_by": "chains" if "rhat_max" in health else "weights",
        "chains": {name: round(value, 4) for name, value in health.items()},
        "mean_of_weights_in_sds_of_chains": {
            str(name): round(float((bad[name].mean() - draws[name].mean()) / draws[name].std()), 3)
            for name in draws
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--families", nargs="+", default=list(purchases.MODELS))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    result: dict[str, object] = {"truth": TRUTH, "limits": LIMITS, "chain_ess": CHAIN_ESS}
    compared: list[dict[str, object]] = []
    result |= {"comparisons": compared, "k_hat": {}, "fallback": []}
    for family in arguments.families:
        for customers in arguments.customers:
            compared += compare(family, customers)
            arguments.output.write_text(json.dumps(result, indent=1) + "\n")
            print(pd.DataFrame(compared).to_string(), flush=True)
    for family in arguments.families:
        result["k_hat"][family] = {  # type: ignore[index]
            str(count): k_hats(family, count, arguments.seeds) for count in arguments.customers
        }
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
        result["fallback"].append(fallback(family))  # type: ignore[attr-defined]
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({"k_hat": result["k_hat"], "fallback": result["fallback"]}, indent=1))


if __name__ == "__main__":
    main()
