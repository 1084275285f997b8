"""Simulation-based calibration: are the posteriors of the fast inference the posteriors?

Run `python -m benchmarks.sbc --simulations 200`; it writes `benchmarks/results/sbc.json`.
Each simulation draws parameters from the priors themselves, then a shop from them, fits it as the
product does (importance sampling, chains where its weights fail) and ranks the truth among draws.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.purchase_data import Shop, future_purchases, mean_purchases, simulate
from models_py.lifetime_value import Sampling, pareto_nbd, purchases
from models_py.posterior import failed_gates

RESULT = Path(__file__).parent / "results" / "sbc.json"
RANKED_DRAWS = 199
HORIZON_WEEKS = 26.0
FAMILY_ERROR = 0.05


def prior_draw(family: str, generator: np.random.Generator) -> dict[str, float]:
    """Parameters of one shop, from the priors that the fit uses."""
    model = purchases.model(family)
    point = [
        generator.normal(location, scale)
        if kind == "normal"
        else generator.logistic(location, scale)
        for kind, location, scale in model.priors.values()
    ]
    published = model.published({}, np.array([point]))
    return {name: float(values[0]) for name, values in published.items()}


def quantities(
    family: str, shop: Shop, draws: pd.DataFrame, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """What is ranked, one value per draw: functions of parameters, and draws of customers.

    The first customer stands for all: customers are exchangeable before the data are seen.
    """
    data = purchases.statistics(shop.groups(), family)
    model = purchases.model(family)
    rows = [dict(zip(draws.columns, row, strict=True)) for row in draws.to_numpy()]
    with np.errstate(over="ignore"):
        likelihood = [float(model.log_likelihood(data, row, np)) for row in rows]
    found = {name: draws[name].to_numpy() for name in draws}
    found["log_likelihood"] = np.array(likelihood)
    future = [_customers(family, shop, row, generator) for row in rows]
    for name in ("alive_probability", "purchase_rate", "expected_purchases", "cohort_purchases"):
        found[name] = np.array([one[name] for one in future])
    return found


def _customers(
    family: str, shop: Shop, at: dict[str, float], generator: np.random.Generator
) -> dict[str, float]:
    """One draw of the first customer's own numbers and of the cohort's future, given `at`."""
    r, alpha = at["r"], at["alpha"]
    x, t_x, tenure = shop.x, shop.t_x, shop.T
    if family == "pareto_nbd":
        odds = pareto_nbd.log_gone_to_alive(vars(shop), r, alpha, at["s"], at["beta"])
    else:
        chances = x + (family == "mbg_nbd")
        odds = np.log(at["a"] / (at["b"] + np.maximum(chances - 1.0, 0.0)))
        odds = np.where(
            chances > 0, odds + (r + x) * np.log((alpha + tenure) / (alpha + t_x)), -700
        )
    alive = 1.0 / (1.0 + np.exp(np.clip(odds, -700.0, 700.0)))
    is_alive = generator.random(len(x)) < alive
    # Given alive at T, rate and dropout follow their conjugate laws.
    rate = generator.gamma(r + x, 1.0 / (alpha + tenure))
    if family == "pareto_nbd":
        leaving = np.maximum(generator.gamma(at["s"], 1.0 / (at["beta"] + tenure)), 1e-300)
        life = tenure + generator.exponential(1.0, len(x)) / leaving
        left_after = np.full(len(x), np.inf)
    else:
        leaving = np.clip(generator.beta(at["a"], at["b"] + chances), 1e-300, 1.0 - 1e-16)
        stays = np.floor(np.log(1.0 - generator.random(len(x))) / np.log1p(-leaving)) + 1.0
        life, left_after = np.full(len(x), np.inf), x + stays
    future = Shop(x, t_x, tenure, rate, leaving, left_after, life)
    mean = mean_purchases(family, is_alive, rate, leaving, HORIZON_WEEKS)
    return {
        "alive_probability": float(alive[0]),
        "purchase_rate": float(rate[0] if is_alive[0] else _rate_of_the_gone(shop, at, generator)),
        "expected_purchases": float(mean[0]),
        "cohort_purchases": float(
            np.sum(is_alive * future_purchases(future, HORIZON_WEEKS, generator))
        ),
    }


def _rate_of_the_gone(shop: Shop, at: dict[str, float], generator: np.random.Generator) -> float:
    """A draw of the first customer's rate, given that the customer has left."""
    last, shape = shop.t_x[0], at["r"] + shop.x[0]
    if "s" in at:
        # The moment of leaving, by the inverse of its distribution on a fine grid of log time.
        grid = last + np.concatenate([[0.0], np.geomspace(1e-9, 1.0, 4000) * (shop.T[0] - last)])
        log_density = -shape * np.log(at["alpha"] + grid) - (at["s"] + 1.0) * np.log(
            at["beta"] + grid
        )
        density = np.exp(log_density - log_density.max())
        mass = np.cumsum((density[1:] + density[:-1]) * np.diff(grid))
        last = float(np.interp(generator.random() * mass[-1], mass, grid[1:]))
    return float(generator.gamma(shape, 1.0 / (at["alpha"] + last)))


def true_quantities(
    family: str, shop: Shop, at: dict[str, float], generator: np.random.Generator
) -> dict[str, float]:
    """The same quantities at the truth: parameters' own, the customer's own, what happened."""
    exact = quantities(family, shop, pd.DataFrame([at]), generator)
    is_alive = (shop.life > shop.T) & (shop.x < shop.left_after)
    mean = mean_purchases(family, is_alive, shop.rate, shop.leaving, HORIZON_WEEKS)
    return {name: float(values[0]) for name, values in exact.items()} | {
        "purchase_rate": float(shop.rate[0]),
        "expected_purchases": float(mean[0]),
        "cohort_purchases": float(future_purchases(shop, HORIZON_WEEKS, generator).sum()),
    }


def rank_one(
    family: str, customers: int, seed: int, inference: str = "auto"
) -> tuple[dict[str, float], dict[str, float]]:
    """Ranks of the truth among draws, as numbers in (0, 1), and the health of the fit."""
    generator = np.random.default_rng([seed, purchases.MODELS.index(family)])
    at = prior_draw(family, generator)
    shop = simulate(family, at, generator.uniform(13.0, 78.0, customers), generator)
    draws, health = purchases.fit(
        shop.groups(), family, Sampling(inference=inference), RANKED_DRAWS, seed
    )
    truth = true_quantities(family, shop, at, generator)
    found = quantities(family, shop, draws, generator)
    ranks = {}
    for name, values in found.items():
        below, equal = int(np.sum(values < truth[name])), int(np.sum(values == truth[name]))
        # Ties (counts, customers who have left) are broken by chance.
        rank = below + generator.integers(0, equal + 1)
        ranks[name] = (rank + generator.random()) / (len(values) + 1)
    return ranks, health


def largest_deviation(ranks: np.ndarray) -> np.ndarray:
    """The smallest two-sided tail probability of an ECDF of uniform numbers, (repetition,).

    At each of 100 places the count below is binomial if ranks are uniform; the band of Säilynoja,
    Bürkner & Vehtari (2022, "Graphical test for discrete uniformity", section 2) is the set of
    ECDFs for which this stays above a level that simulation finds.
    """
    count = ranks.shape[1]
    places = np.arange(1, 100) / 100.0
    below = np.stack([(ranks < place).sum(axis=1) for place in places], axis=1)
    law = stats.binom(count, places)
    table_low = law.cdf(np.arange(count + 1)[:, None])  # (count, place)
    table_high = law.sf(np.arange(count + 1)[:, None] - 1)
    columns = np.arange(len(places))
    tails = np.minimum(table_low[below, columns], table_high[below, columns])
    return 2.0 * tails.min(axis=1)


def uniform_deviations(count: int, repetitions: int, seed: int = 1) -> np.ndarray:
    """`largest_deviation` of truly uniform ranks, sorted (repetition,)."""
    generator = np.random.default_rng(seed)
    parts = [
        largest_deviation(generator.random((size, count)))
        for size in [1000] * (repetitions // 1000)
    ]
    return np.sort(np.concatenate(parts))


def judge(ranks: pd.DataFrame, reference: np.ndarray, comparisons: int) -> pd.DataFrame:
    """One row per statistic: the chance of so large a deviation, and whether the band holds it.

    With Bonferroni's correction for `comparisons` statistics the bands hold all of them together
    with probability of at least 1 - FAMILY_ERROR if every posterior is right; statistics of one
    shop are dependent, so the true probability is higher.
    """
    rows = []
    for name in ranks:
        deviation = largest_deviation(ranks[name].to_numpy()[None, :])[0]
        chance = (np.searchsorted(reference, deviation, side="right") + 1) / (len(reference) + 1)
        rows.append(
            {
                "statistic": name,
                "p_value": round(float(chance), 5),
                "is_within_band": bool(chance > FAMILY_ERROR / comparisons),
                "rank_mean": round(float(ranks[name].mean()), 3),
                "rank_sd": round(float(ranks[name].std()), 3),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=200)
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--families", nargs="+", default=list(purchases.MODELS))
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    reference = uniform_deviations(arguments.simulations, 100_000)
    result = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    comparisons = 9 * len(purchases.MODELS)
    for family in arguments.families:
        # Every simulation is kept at once: a study that was stopped goes on where it was.
        kept = arguments.output.with_suffix(f".{family}.jsonl")
        lines = kept.read_text().splitlines() if kept.exists() else []
        done = [json.loads(line) for line in lines][: arguments.simulations]
        for seed in range(len(done), arguments.simulations):
            started = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ranks, measured = rank_one(family, arguments.customers, seed)
            seconds = time.perf_counter() - started
            done.append({"seed": seed, "ranks": ranks, "health": measured, "seconds": seconds})
            with kept.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
        found, health = [one["ranks"] for one in done], [one["health"] for one in done]
        table = judge(pd.DataFrame(found), reference, comparisons)
        result[family] = {
            "simulations": arguments.simulations,
            "customers": arguments.customers,
            "priors": "those of the fit",
            "joint_level": 1 - FAMILY_ERROR,
            "comparisons": comparisons,
            "fits_by_chains": sum("k_hat" not in one for one in health),
            "fits_failing_a_gate": sum(bool(failed_gates(one)) for one in health),
            "seconds": round(sum(one["seconds"] for one in done), 1),
            "statistics": table.to_dict("records"),
        }
        print(table.to_string(index=False), flush=True)
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
