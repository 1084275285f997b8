"""Do 95 % intervals of parameters hold the truth in 95 % of simulated shops?

Run `python -m benchmarks.coverage_plain --seeds 20`; it prints a table and writes
`benchmarks/results/coverage_plain.json`.
Shops follow the model's own assumptions; how it fares where they are broken is measured on the
simulated retailer, not here.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy import stats

from models_py.lifetime_value import LifetimeValue, group_purchases, group_spend
from models_py.simulate.plain import PlainParameters, simulate_purchases

TRUTH = PlainParameters(r=0.6, alpha=6.0, a=0.8, b=2.4, p=3.0, q=4.0, v=30.0, kappa=1.2)
OBSERVATION_DAYS = 730
LEVEL = 0.95
RESULT = Path(__file__).parent / "results" / "coverage_plain.json"


def measure(seeds: int, customers: int) -> dict[str, object]:
    """Fit `seeds` simulated shops and count, per parameter, how often the interval holds."""
    tail = (1 - LEVEL) / 2
    holds: dict[str, list[bool]] = {}
    unhealthy: list[int] = []
    started = time.perf_counter()
    for seed in range(seeds):
        frame, _ = simulate_purchases(TRUTH, customers, OBSERVATION_DAYS, seed, horizons_days=())
        # Every kept draw counts: 500 are enough to predict, but make 2.5 % tails uneven.
        model = LifetimeValue(random_state=seed, draws_kept=4000)
        model.fit(group_purchases(frame), group_spend(frame))
        if not model.is_healthy_:
            unhealthy.append(seed)
        for name, draws in model.draws_.items():
            low, high = np.quantile(draws, [tail, 1 - tail])
            holds.setdefault(str(name), []).append(bool(low <= getattr(TRUTH, str(name)) <= high))
    pooled = [held for column in holds.values() for held in column]
    low, high = stats.binom.interval(0.95, len(pooled), LEVEL)
    return {
        "truth": asdict(TRUTH),
        "seeds": seeds,
        "customers": customers,
        "observation_days": OBSERVATION_DAYS,
        "level": LEVEL,
        "intervals_count": len(pooled),
        "pooled_coverage": float(np.mean(pooled)),
        "binomial_band": [low / len(pooled), high / len(pooled)],
        "is_within_band": bool(low <= sum(pooled) <= high),
        "coverage": {name: float(np.mean(column)) for name, column in holds.items()},
        "unhealthy_seeds": unhealthy,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    result = measure(arguments.seeds, arguments.customers)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    for name, coverage in result["coverage"].items():
        print(f"{name:>8}  {coverage:6.1%}")
    low, high = result["binomial_band"]
    print(f"{'pooled':>8}  {result['pooled_coverage']:6.1%}  band {low:.1%} to {high:.1%}")
    print(f"{result['seeds']} seeds of {result['customers']} customers, {result['seconds']} s")


if __name__ == "__main__":
    main()
