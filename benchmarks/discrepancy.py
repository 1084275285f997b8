"""Which discrepancy of totals to use: chosen in simulated worlds, reported on four public sets.

Run `python -m benchmarks.discrepancy --data FOLDER [--cache FOLDER]`; it writes
`benchmarks/results/discrepancy.json`. No setting is chosen on a public set: the assumptions of
models_py/lifetime_value/discrepancy.py are those that do best in discrepancy_worlds.py. Forecasts
of the public sets are made by discrepancy_data.py; rules of refusal and of status are tried in
discrepancy_rules.py.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.discrepancy_data import load
from benchmarks.discrepancy_rivals import Known, before, constant, minimal, noise_only, shifted
from benchmarks.discrepancy_rules import recovery, refusals, statuses
from benchmarks.discrepancy_worlds import worlds
from models_py.lifetime_value import PastTotal, TotalDiscrepancy, TotalStatus
from models_py.lifetime_value.discrepancy import ASSUMPTIONS, Assumptions
from models_py.lifetime_value.past_blocks import misses_up_to

RESULT = Path(__file__).parent / "results" / "discrepancy.json"
LEVEL = 0.95
WORLDS = 4  # of each kind and size
CHOSEN_BY, CHECKED_BY = 20261128, 20261129

Method = Callable[[Known], tuple[float, float]]
RIVALS: dict[str, Method] = {
    "noise only": noise_only,
    "constant 20 %": constant,
    "minimal": minimal,
    "before": before,
}


def learned(assumptions: Assumptions) -> Method:
    """The library's discrepancy under other assumptions."""

    def method(known: Known) -> tuple[float, float]:
        found = TotalDiscrepancy.learn(known.misses, known.day, assumptions)
        return ends(found.apply(known.ratios, 1))

    return method


def ends(ratios: np.ndarray) -> tuple[float, float]:
    """Ends of the central 95 %."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return float(low), float(high)


def name_of(assumptions: Assumptions) -> str:
    """What differs from the published ones."""
    return ", ".join(
        f"{name} {value:g}"
        for name, value in vars(assumptions).items()
        if value != getattr(ASSUMPTIONS, name)
    )


CANDIDATES: dict[str, Method] = {
    "published": learned(ASSUMPTIONS),
    "published, shifted after 8 misses of one sign": shifted,
    **{
        name_of(changed): learned(changed)
        for changed in (
            *(
                replace(ASSUMPTIONS, prior_scale=scale, half_life_days=days)
                for scale in (0.05, 0.07, 0.10)
                for days in (180.0, 365.0, np.inf)
            ),
            *(replace(ASSUMPTIONS, greatest_scale=scale) for scale in (0.35, 0.7)),
            replace(ASSUMPTIONS, least_scale=0.02),
            replace(ASSUMPTIONS, overlap=0.0),
            replace(ASSUMPTIONS, forgets_breaks=False),
        )
        if changed != ASSUMPTIONS
    },
}


def score(low: float, high: float, actual: float) -> float:
    """Interval score over the actual total, all relative to predicted.

    Gneiting & Raftery (2007), equation 43, at 95 %.
    """
    miss = max(low - actual, 0.0) + max(actual - high, 0.0)
    return (high - low + 2 / (1 - LEVEL) * miss) / actual


def evaluate(
    rows: pd.DataFrame, methods: Mapping[str, Method], *, with_status: bool = False
) -> pd.DataFrame:
    """Score every forecast that came to something, by what was known on its day.

    Parameters
    ----------
    rows : DataFrame
        day, horizon_days, actual, predicted, draws of one quantity of one set.
    with_status : bool
        Whether to judge every forecast, which takes longer than to widen it.

    Returns
    -------
    DataFrame
        One row per forecast and method; is_refused says whether the library gives no interval,
        status what it says of it where asked.
    """
    done = rows[rows["actual"].notna()]
    totals = [
        PastTotal(int(row.day), int(row.horizon_days), row.actual, row.predicted)
        for row in done.itertuples()
    ]
    scores = []
    for day, of_day in rows.groupby("day"):
        draws = {row.horizon_days: row.predicted * row.draws for row in of_day.itertuples()}
        past = [total for total in totals if total.origin_day + total.horizon_days <= day]
        for row in of_day[of_day["actual"] > 0].itertuples():
            horizon = int(row.horizon_days)
            misses = misses_up_to(past, horizon, int(day), draws)
            known = Known(int(day), horizon, misses, row.draws)
            widened = TotalDiscrepancy.learn(misses, int(day)).apply(row.draws, 1)
            median, upper = np.quantile(widened, [0.5, 0.95])
            is_refused = TotalStatus.refusal(misses, past, median, upper) is not None
            status = (
                TotalStatus.judge(past, horizon, int(day), draws, median, upper).status
                if with_status
                else ""
            )
            for name, method in methods.items():
                low, high = method(known)
                actual = row.actual / row.predicted
                scores.append(
                    {
                        "day": int(day),
                        "horizon_days": horizon,
                        "method": name,
                        "score": score(low, high, actual),
                        "covers": low <= actual <= high,
                        "half_width": (high - low) / 2,
                        "is_refused": is_refused,
                        "status": status,
                    }
                )
    return pd.DataFrame(scores)


def choose(random_state: int, methods: Mapping[str, Method]) -> pd.DataFrame:
    """Geometric mean, over worlds of every kind, of each method's score over the minimal one's.

    Beside it how much worse it is than the best one, world by world, with its standard error.
    """
    rows = []
    for made in worlds(WORLDS, random_state):
        scores = evaluate(made, methods)
        means = scores.groupby("method")[["score", "covers"]].mean()
        answered = scores[~scores["is_refused"]].groupby("method")["covers"].mean()
        means["coverage_answered"] = answered
        means["ratio"] = np.log(means["score"] / means.loc["minimal", "score"])
        first = made.iloc[0]
        rows.append(means.reset_index().assign(kind=first["kind"], size=first["size"]))
    every = pd.concat(rows)
    by_kind = every.groupby(["method", "kind", "size"])[
        ["ratio", "covers", "coverage_answered"]
    ].mean()
    result = by_kind.groupby("method").mean()
    result["score_over_minimal"] = np.exp(result["ratio"])
    named = result.rename(columns={"covers": "coverage"}).sort_values("score_over_minimal")
    by_world = np.vstack([every.loc[every["method"] == name, "ratio"] for name in named.index])
    worse = by_world - by_world[0]  # (method, world)
    named["worse_than_best"] = worse.mean(axis=1)
    named["standard_error"] = worse.std(axis=1, ddof=1) / np.sqrt(worse.shape[1])
    return named.drop(columns="ratio")


def public(folder: Path, cache: Path | None) -> dict[str, list[dict[str, object]]]:
    """Score, coverage and width of the published construction and its rivals, by set.

    Forecasts that are refused are scored with the interval that would have been published.
    """
    methods = RIVALS | {"published": CANDIDATES["published"]}
    found = []
    for name, forecasts in load(folder, cache).items():
        for quantity, rows in forecasts.groupby("quantity"):
            days = [day.toordinal() for day in rows["origin"]]
            scores = evaluate(rows.assign(day=days), methods, with_status=True)
            found.append(scores.assign(set=name, quantity=quantity))
    table = pd.concat(found)
    # Sets weigh alike in "all four": AdventureWorks has a third of the forecasts.
    keys = ["set", "quantity", "method"]
    sets = pd.DataFrame([_told(keys, key, part) for key, part in table.groupby(keys)])
    whole = sets.groupby(["quantity", "method"]).mean(numeric_only=True).reset_index()
    # The sum of four is that of the worst; the geometric mean weighs halving alike everywhere.
    logs = sets.assign(score=np.log(sets["score"])).groupby(["quantity", "method"])["score"]
    whole["score_geometric"] = np.exp(logs.mean()).to_numpy()
    counts = ["forecasts", "non_overlapping_blocks"]
    whole[counts] = sets.groupby(["quantity", "method"])[counts].sum().to_numpy()
    summary = pd.concat([sets, whole.assign(set="all four")])
    by_status = (
        table[table["method"] == "published"]
        .groupby(["set", "quantity", "status"])
        .agg(forecasts=("covers", "size"), coverage=("covers", "mean"), score=("score", "mean"))
        .reset_index()
    )
    return {
        "by_set": json.loads(summary.round(4).to_json(orient="records")),
        "published_by_status": json.loads(by_status.round(4).to_json(orient="records")),
    }


def _told(keys: list[str], key: tuple[str, ...], part: pd.DataFrame) -> dict[str, object]:
    answered = part[~part["is_refused"]]
    return {
        **dict(zip(keys, key, strict=True)),
        "score": part["score"].mean(),
        "score_answered": answered["score"].mean(),
        "coverage": part["covers"].mean(),
        "coverage_answered": answered["covers"].mean(),
        "half_width": part["half_width"].mean(),
        "refused_share": part["is_refused"].mean(),
        "forecasts": len(part),
        "non_overlapping_blocks": sum(
            _blocks(of_length["day"].unique(), int(horizon))
            for horizon, of_length in part.groupby("horizon_days")
        ),
    }


def _blocks(days: np.ndarray, horizon: int) -> int:
    count, free = 0, -np.inf
    for day in sorted(days):
        if day >= free:
            count, free = count + 1, day + horizon
    return count


def chosen() -> list[dict[str, object]]:
    """Every candidate and rival in the worlds that the assumptions were chosen by."""
    found = choose(CHOSEN_BY, RIVALS | CANDIDATES)
    return found.round(4).reset_index().to_dict("records")


def checked() -> list[dict[str, object]]:
    """What was chosen, and the rivals, in worlds that nothing was chosen by."""
    found = choose(CHECKED_BY, RIVALS | {"published": CANDIDATES["published"]})
    return found.round(4).reset_index().to_dict("records")


def main() -> None:
    """Choose, check, report, write each section into the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLIENTELA_TEST_DATA"))
    parser.add_argument("--cache", type=Path)
    sections: dict[str, Callable[[], object]] = {
        "assumptions": lambda: vars(ASSUMPTIONS),
        "chosen_in_worlds": chosen,
        "checked_in_other_worlds": checked,
        "refusals": lambda: refusals(CHOSEN_BY),
        "statuses": lambda: statuses(CHECKED_BY),
        "recovery": lambda: recovery(CHECKED_BY),
        "public": lambda: public(Path(arguments.data), arguments.cache),
    }
    parser.add_argument("--only", nargs="+", choices=sections, help="sections to make again")
    arguments = parser.parse_args()
    wanted = set(arguments.only or sections)
    if arguments.data is None or not Path(arguments.data).is_dir():
        print("The public sets are not shipped: name their folder by --data. Left out.")
        wanted.discard("public")
    for name, make in sections.items():
        if name in wanted:
            made = make()
            print(name, json.dumps(made, indent=1), flush=True)
            result = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
            result = {key: made if key == name else result.get(key) for key in sections}
            RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
