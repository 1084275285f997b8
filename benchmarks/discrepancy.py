"""Which discrepancy of totals to use: chosen on simulated worlds, reported on four public sets.

Run `python benchmarks/discrepancy.py --data FOLDER [--cache FOLDER]`; it writes
`benchmarks/results/discrepancy.json`. No setting is chosen on a public set: the constants of
models_py/lifetime_value/discrepancy.py are those of the candidate that does best in the simulated
worlds. Forecasts of the public sets are made by discrepancy_data.py.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from discrepancy_data import HORIZONS, load
from scipy import stats

from models_py.lifetime_value import PastTotal, TotalDiscrepancy
from models_py.lifetime_value.discrepancy import LEAST_SCALE, blocks_up_to

RESULT = Path(__file__).parent / "results" / "discrepancy.json"
LEVEL = 0.95
POINTS = 4000
WORLDS = 12  # of each kind and size
WEEKS_BEFORE_ORIGIN = 39  # what a fit of a simulated world remembers

NORMAL = stats.norm.ppf((np.random.default_rng(1).permutation(POINTS) + 0.5) / POINTS)
UNIFORM = (np.random.default_rng(2).permutation(POINTS) + 0.5) / POINTS
STUDENT = {df: stats.t.ppf(UNIFORM, df) for df in range(1, 400)}

# From the past totals, the day, the horizon, and the chance of each horizon today, to draws of
# ln(total / predicted); None stands for plus or minus 20 %.
Method = Callable[[Sequence[PastTotal], int, int, dict[int, float]], np.ndarray]


def noise_only(
    past: Sequence[PastTotal], today: int, horizon: int, chance: dict[int, float]
) -> np.ndarray:
    """Parameters and chance alone."""
    return chance[horizon] * NORMAL


def minimal(
    past: Sequence[PastTotal], today: int, horizon: int, chance: dict[int, float]
) -> np.ndarray:
    """The construction to beat: blocks of the longest tested length, all of their misses, 10 %."""
    by_length = blocks_up_to(past, horizon, today)
    blocks = by_length[-1] if by_length else []
    delta = np.array([np.log(block.actual / block.predicted) for block in blocks])
    freedom = 4 + len(blocks)
    scale = np.sqrt((4 * 0.10**2 + np.sum(delta**2)) / freedom)
    return chance[horizon] * NORMAL + scale * STUDENT[freedom]


def pooled(prior_scale: float, prior_blocks: int, growth: float) -> Method:
    """Blocks of all lengths, less what chance explains; misses grow by (h/length)^growth."""

    def method(
        past: Sequence[PastTotal], today: int, horizon: int, chance: dict[int, float]
    ) -> np.ndarray:
        total, count = prior_blocks * prior_scale**2, prior_blocks
        for blocks in blocks_up_to(past, horizon, today):
            for block in blocks:
                explained = chance[block.horizon_days] ** 2 * _size(past, today, block)
                miss = np.log(block.actual / block.predicted) ** 2 - explained
                total += miss * (horizon / block.horizon_days) ** (2 * growth)
                count += 1
        scale = np.sqrt(max(total / count, LEAST_SCALE**2))
        return chance[horizon] * NORMAL + scale * STUDENT[count]

    return method


SIZES: dict[int, dict[int, float]] = {}


def _size(past: Sequence[PastTotal], today: int, block: PastTotal) -> float:
    """Today's predicted total of the block's length over the block's own: chance shrinks by it."""
    return SIZES[today][block.horizon_days] / block.predicted


CANDIDATES: dict[str, Method] = {
    f"pooled {scale:.2f} x{blocks} h^{growth:g}": pooled(scale, blocks, growth)
    for scale in (0.05, 0.07, 0.10)
    for blocks in (2, 4)
    for growth in (0.0, 0.25)
}
PUBLISHED = "pooled 0.07 x4 h^0"


def score(draws: np.ndarray | None, actual: float) -> tuple[float, bool, float]:
    """Interval score over the actual total, whether it covers, and half the width over predicted.

    ``actual`` is relative to predicted (Gneiting & Raftery 2007, eq. 43, at 95 %).
    """
    tail = (1 - LEVEL) / 2
    low, high = (0.8, 1.2) if draws is None else np.exp(np.quantile(draws, [tail, 1 - tail]))
    miss = max(low - actual, 0.0) + max(actual - high, 0.0)
    return (high - low + 2 / (1 - LEVEL) * miss) / actual, low <= actual <= high, (high - low) / 2


def evaluate(rows: pd.DataFrame, methods: dict[str, Method | None]) -> pd.DataFrame:
    """Score every forecast whose outcome is known, by what was known on its day.

    Parameters
    ----------
    rows : DataFrame
        day, horizon_days, actual, predicted, chance of one quantity of one set.
    """
    done = rows[rows["actual"] > 0]
    totals = [
        PastTotal(int(row.day), int(row.horizon_days), row.actual, row.predicted)
        for row in done.itertuples()
    ]
    scores = []
    for day, of_day in rows.groupby("day"):
        SIZES[int(day)] = dict(zip(of_day["horizon_days"], of_day["predicted"], strict=True))
        chance = dict(zip(of_day["horizon_days"], of_day["chance"], strict=True))
        past = [total for total in totals if total.origin_day + total.horizon_days <= day]
        for row in of_day[of_day["actual"] > 0].itertuples():
            for name, method in methods.items():
                draws = method and method(past, int(day), int(row.horizon_days), chance)
                found = score(draws, row.actual / row.predicted)
                scores.append((int(day), int(row.horizon_days), name, *found))
    columns = ["day", "horizon_days", "method", "score", "covers", "half_width"]
    return pd.DataFrame(scores, columns=columns)


def world(kind: str, size: float, chance: np.random.Generator) -> pd.DataFrame:
    """Totals of a made-up shop whose weeks differ, forecast by the mean of its last 39 weeks."""
    weeks = int(chance.choice([52, 78, 110]))
    noise = float(chance.choice([0.03, 0.08, 0.15]))  # of a month, by chance
    months = np.repeat(chance.standard_normal(60), 4)[: weeks + 60]
    time = np.arange(weeks + 60)
    level = {
        "chance alone": 0 * time,
        "months": size * months,
        "persistent months": size * _persistent(chance, len(time)),
        "seasons": size * (1.4 * np.sin(2 * np.pi * (time / 52 + chance.random())) + 0.3 * months),
        "random walk": size * np.cumsum(chance.standard_normal(len(time))) / np.sqrt(26),
        "a break": size
        * (2 * chance.choice([-1, 1]) * (time > chance.integers(20, weeks)) + 0.3 * months),
        "misfit that grows": 0.3 * size * months,
    }[kind]
    drift = 1.5 * size * chance.choice([-1, 1]) if kind == "misfit that grows" else 0.0
    weekly = noise * np.sqrt(30 / 7)
    seen = level + weekly * chance.standard_normal(len(time))
    rows = []
    for origin in range(13, weeks - 4, 4):
        memory = min(origin, WEEKS_BEFORE_ORIGIN)
        guess = seen[origin - memory : origin].mean()
        for horizon in HORIZONS:
            length = round(horizon / 7)
            ahead = np.exp(seen[origin : origin + length] - guess + drift * horizon / 365)
            known = origin + length <= weeks
            rows.append(
                {
                    "day": 7 * origin,
                    "horizon_days": horizon,
                    "actual": horizon * ahead.mean() if known else np.nan,
                    # The model knows the mean of its own noise.
                    "predicted": float(horizon) * np.exp(weekly**2 / 2),
                    "chance": weekly * np.sqrt(1 / length + 1 / memory),
                }
            )
    return pd.DataFrame(rows)


def _persistent(chance: np.random.Generator, weeks: int) -> np.ndarray:
    level = [chance.standard_normal()]
    for _ in range(weeks // 4):
        level.append(0.7 * level[-1] + np.sqrt(1 - 0.7**2) * chance.standard_normal())
    return np.repeat(level, 4)[:weeks]


def choose() -> pd.DataFrame:
    """Geometric mean, over worlds of every kind, of each method's score over the minimal one's."""
    methods: dict[str, Method | None] = {
        "noise only": noise_only,
        "constant 20 %": None,
        "minimal": minimal,
        **CANDIDATES,
    }
    kinds = ("months", "persistent months", "seasons", "random walk", "a break")
    kinds = (*kinds, "misfit that grows")
    sizes = (0.05, 0.15, 0.35)
    worlds = [("chance alone", 0.0), *((kind, size) for kind in kinds for size in sizes)]
    chance, rows = np.random.default_rng(20241231), []
    for kind, size in worlds:
        for number in range(WORLDS):
            scores = evaluate(world(kind, size, chance), methods)
            means = scores.groupby("method")[["score", "covers"]].mean()
            means["ratio"] = np.log(means["score"] / means.loc["minimal", "score"])
            rows.append(means.reset_index().assign(kind=kind, size=size, number=number))
    found = pd.concat(rows)
    by_kind = found.groupby(["method", "kind", "size"])[["ratio", "covers"]].mean()
    result = by_kind.groupby("method").mean()
    return pd.DataFrame(
        {"score_over_minimal": np.exp(result["ratio"]), "coverage": result["covers"]}
    ).sort_values("score_over_minimal")


def public(folder: Path, cache: Path | None) -> list[dict[str, object]]:
    """Score, coverage and width of the published construction and its rivals, by set."""
    methods: dict[str, Method | None] = {
        "noise only": noise_only,
        "constant 20 %": None,
        "minimal": minimal,
        "published": CANDIDATES[PUBLISHED],
    }
    found = []
    for name, forecasts in load(folder, cache).items():
        for quantity, rows in forecasts.groupby("quantity"):
            rows = rows.assign(day=[day.toordinal() for day in rows["origin"]])
            agree_with_the_library(rows)
            scores = evaluate(rows, methods).assign(set=name, quantity=quantity)
            blocks = {
                horizon: _blocks(part["day"].unique(), horizon)
                for horizon, part in scores.groupby("horizon_days")
            }
            found.append(scores.assign(blocks=scores["horizon_days"].map(blocks)))
    table = pd.concat(found)
    every = table.assign(set="all four")
    equal = ["set", "quantity", "method"]
    # Sets weigh alike in "all four": AdventureWorks has a third of the origins.
    sets = table.groupby(equal)[["score", "covers", "half_width"]].mean()
    whole = sets.groupby(["quantity", "method"]).mean().reset_index().assign(set="all four")
    summary = pd.concat([sets.reset_index(), whole])
    counts = pd.concat([table, every]).groupby(equal).size().rename("forecasts").reset_index()
    blocks = (
        table.drop_duplicates(["set", "quantity", "method", "horizon_days"])
        .groupby(equal)["blocks"]
        .sum()
        .rename("non_overlapping_blocks")
        .reset_index()
    )
    summary = summary.merge(counts, on=equal).merge(blocks, on=equal, how="left")
    return json.loads(summary.round(4).to_json(orient="records"))


def agree_with_the_library(rows: pd.DataFrame) -> None:
    """What is scored here is what the library makes of the same past, but for chance of draws."""
    today = int(rows["day"].max())
    last = rows[rows["day"] == today].set_index("horizon_days")
    done = rows[(rows["actual"] > 0) & (rows["day"] + rows["horizon_days"] <= today)]
    past = [
        PastTotal(int(row.day), int(row.horizon_days), row.actual, row.predicted)
        for row in done.itertuples()
    ]
    SIZES[today] = last["predicted"].to_dict()
    draws = {days: row.predicted * np.exp(row.chance * NORMAL) for days, row in last.iterrows()}
    for horizon in HORIZONS:
        learned = TotalDiscrepancy.of_horizon(past, horizon, today, draws)
        ours = learned.scale * STUDENT[int(learned.degrees_of_freedom)]
        scored = CANDIDATES[PUBLISHED](past, today, horizon, last["chance"].to_dict())
        scored = scored - last["chance"][horizon] * NORMAL
        assert np.allclose(ours, scored, rtol=0.02), (learned, horizon)


def _blocks(days: np.ndarray, horizon: int) -> int:
    count, free = 0, -np.inf
    for day in sorted(days):
        if day >= free:
            count, free = count + 1, day + horizon
    return count


def main() -> None:
    """Choose, report, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLIENTELA_TEST_DATA"))
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    chosen = choose()
    print(chosen.round(3).to_string())
    result: dict[str, object] = {
        "simulated": chosen.round(4).reset_index().to_dict("records"),
        "published": PUBLISHED,
    }
    if arguments.data is None or not Path(arguments.data).is_dir():
        print("The public sets are not shipped: name their folder by --data. Left out.")
        return
    result["public"] = public(Path(arguments.data), arguments.cache)
    print(pd.DataFrame(result["public"]).to_string(index=False))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
