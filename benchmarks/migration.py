"""Do sizes of lifecycle stages fall into the 90 % interval that was forecast for them?

Rolling monthly origins, each forecast from the months before it alone, on the simulated shop chain
(several seeds) and on four public sets, beside the plain Dirichlet-multinomial chain. Coverage is
over stages, its interval by bootstrap over origins, as the stages of a month share its luck.
Settings of the forecast were chosen by `--choose` on made-up worlds and shops of other seeds, never
on the public sets.

    python -m benchmarks.migration --data FOLDER --out benchmarks/results/migration.json
    python -m benchmarks.migration --choose

The first takes some ten minutes, half of them to simulate the shops.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.migration_data import STAGES, Movement, public, retailer, world
from models_py.segmentation.migration_forecast import ForecastSettings, MigrationForecast

AHEAD = (1, 3, 6)
FIRST_PERIODS = 3
SETS = ("cdnow", "online_retail", "adventureworks", "complete_journey")
SEEDS, CHOOSING_SEEDS = (1, 2, 3), (101, 102)
CUSTOMERS = 5_000
DRAWS = 400
Drawer = Callable[[Movement, int, tuple[int, ...]], np.ndarray]


def shocked(settings: ForecastSettings) -> Drawer:
    """Draws of `MigrationForecast`, (draw, ahead, stage), from the periods before an origin."""

    def draw(data: Movement, origin: int, ahead: tuple[int, ...]) -> np.ndarray:
        model = MigrationForecast(settings, [20_260_101, origin])
        model.fit(STAGES, STAGES, data.counts[:origin], data.arrivals[:origin])
        return model.simulate(data.sizes[origin], ahead)

    return draw


def plain(data: Movement, origin: int, ahead: tuple[int, ...]) -> np.ndarray:
    """The same of the chain without shocks: Dirichlet rates, Poisson newcomers with gamma level."""
    rng = np.random.default_rng([20_260_101, origin])
    counts, arrivals = data.counts[:origin], data.arrivals[:origin]
    size = len(STAGES)
    out, now = [], np.tile(data.sizes[origin], (DRAWS, 1))
    rates = rng.standard_gamma(np.tile(counts.sum(axis=0) + 0.5, (DRAWS, 1, 1)))
    rates[:, :, size] = 0.0
    rates /= rates.sum(axis=2, keepdims=True)
    level = rng.gamma(arrivals.sum(axis=0) + 0.01, 1.0 / origin, (DRAWS, size))
    for step in range(1, max(ahead) + 1):
        moved = rng.multinomial(now, rates).sum(axis=1)
        now = moved[:, :size] + rng.poisson(level)
        if step in ahead:
            out.append(now)
    return np.stack(out, axis=1)


def judge(data: Movement, draw: Drawer, every: int = 1) -> pd.DataFrame:
    """One row per origin, periods ahead and stage that holds or may hold somebody.

    Returns
    -------
    DataFrame
        name, origin, ahead, stage, is_inside, width and score (interval score of Gneiting and
        Raftery 2007 at 90 %), both as shares of the base.
    """
    rows, periods = [], len(data.counts)
    for origin in range(FIRST_PERIODS, periods, every):
        ahead = tuple(step for step in AHEAD if origin + step <= periods)
        drawn = draw(data, origin, ahead)
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)  # (ahead, stage)
        base = data.sizes[origin].sum()
        for number, step in enumerate(ahead):
            actual = data.sizes[origin + step]
            miss = np.maximum(low[number] - actual, 0) + np.maximum(actual - high[number], 0)
            width = high[number] - low[number]
            for stage, name in enumerate(STAGES):
                if high[number, stage] >= 1 or actual[stage]:
                    score = (width[stage] + 20 * miss[stage]) / base
                    inside = miss[stage] == 0
                    rows.append((data.name, origin, step, name, inside, width[stage] / base, score))
    columns = ["name", "origin", "ahead", "stage", "is_inside", "width", "score"]
    return pd.DataFrame(rows, columns=columns)


def covered(rows: pd.DataFrame) -> dict[str, object]:
    """Coverage with its interval by bootstrap over origins; shops of other seeds share them."""
    by = rows.groupby("origin")["is_inside"].agg(["sum", "size"]).to_numpy(float)
    rng = np.random.default_rng(1)
    again = by[rng.integers(0, len(by), (4_000, len(by)))].sum(axis=1)
    low, high = np.quantile(again[:, 0] / again[:, 1], [0.025, 0.975])
    return {
        "coverage": round(float(rows["is_inside"].mean()), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "origins": len(by),
        "forecasts": len(rows),
        "width_share_of_base": round(float(rows["width"].mean()), 4),
        "score_share_of_base": round(float(rows["score"].mean()), 4),
    }


def study(folder: Path | None) -> dict[str, object]:
    """Coverage by set and periods ahead, of both forecasts."""
    settings = ForecastSettings(draws=DRAWS)
    shops = {"retailer": [retailer(seed, CUSTOMERS) for seed in SEEDS]}
    if folder is not None:
        shops |= {name: [public(name, folder)] for name in SETS}
    found: dict[str, object] = {}
    for name, data in shops.items():
        found[name] = {}
        for kind, draw in {"shocks": shocked(settings), "plain": plain}.items():
            rows = pd.concat([judge(one, draw) for one in data])
            found[name][kind] = {  # type: ignore[index]
                f"{step} ahead": covered(part) for step, part in rows.groupby("ahead")
            }
            print(name, kind, json.dumps(found[name][kind]), flush=True)  # type: ignore[index]
    return {
        "settings": asdict(settings),
        "retailer_customers": CUSTOMERS,
        "retailer_seeds": list(SEEDS),
        "first_origin_after_periods": FIRST_PERIODS,
        "sets": found,
    }


GRID: dict[str, tuple[float, ...]] = {
    "half_life_periods": (6, 12, 24, 1_000),
    "shock_periods": (1, 2, 4, 8),
    "shock_scale": (0.1, 0.2, 0.3),
    "persistence_periods": (2, 6, 12, 100),
    "arrival_half_life_periods": (1.5, 3, 6),
    "arrival_scale": (0.12, 0.25, 0.4),
}


def choose() -> None:
    """Change one setting at a time and print the mean log interval score; lower is better."""
    data = [world(seed) for seed in range(100, 118)]
    data += [retailer(seed, CUSTOMERS) for seed in CHOOSING_SEEDS]
    for name, values in GRID.items():
        for value in values:
            settings = replace(ForecastSettings(draws=200), **{name: value})
            rows = pd.concat([judge(one, shocked(settings), every=3) for one in data])
            rows["kind"] = rows["name"].str.split().str[0]
            mean = rows.groupby(["kind", "name", "ahead"])[["score", "is_inside"]].mean()
            mean["score"] = np.log(mean["score"])
            by = mean.groupby("kind").mean().round(3).to_dict("index")
            print(name, value, json.dumps(by), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public sets; without it none")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--choose", action="store_true")
    given = parser.parse_args()
    if given.choose:
        choose()
    else:
        result = study(given.data)
        text = json.dumps(result, indent=1)
        if given.out:
            given.out.write_text(text + "\n")
