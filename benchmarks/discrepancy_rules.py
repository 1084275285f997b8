"""When a total is refused, what its status is worth, and how soon it recovers, in made-up shops.

Add here a rule about intervals of totals that is tried in discrepancy_worlds.py. How wide intervals
are is discrepancy.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from benchmarks.discrepancy_rivals import TAILS
from benchmarks.discrepancy_worlds import MEMORY_WEEKS, STEP_WEEKS, world, worlds
from models_py.lifetime_value import PastTotal, TotalDiscrepancy, TotalStatus
from models_py.lifetime_value.discrepancy import ASSUMPTIONS
from models_py.lifetime_value.past_blocks import Miss, misses_up_to

FACTORS = (1.5, 2.0, 2.7)
RUNS = (1, 2, 3)
WIDE = (0.05, 0.95)


@dataclass(frozen=True)
class Forecast:
    """One forecast of a made-up shop, with its past and, over predicted, its outcome."""

    day: int
    horizon_days: int
    past: Sequence[PastTotal]
    draws: Mapping[int, np.ndarray]
    ratios: np.ndarray
    actual: float
    weeks_after_break: int

    @property
    def misses(self) -> list[list[Miss]]:
        return misses_up_to(self.past, self.horizon_days, self.day, self.draws)

    def widened(self, assumptions: object = ASSUMPTIONS) -> np.ndarray:
        learned = TotalDiscrepancy.learn(self.misses, self.day, assumptions)
        return learned.apply(self.ratios, 1)


def forecasts(made: pd.DataFrame, horizons: Sequence[int] = ()) -> Iterator[Forecast]:
    """Those of one shop whose outcome is known."""
    done = made[made["actual"] > 0]
    totals = [
        PastTotal(int(row.day), int(row.horizon_days), row.actual, row.predicted)
        for row in done.itertuples()
    ]
    for day, of_day in made.groupby("day"):
        draws = {row.horizon_days: row.predicted * row.draws for row in of_day.itertuples()}
        past = [total for total in totals if total.origin_day + total.horizon_days <= day]
        for row in of_day[of_day["actual"] > 0].itertuples():
            if not horizons or row.horizon_days in horizons:
                ratio = row.actual / row.predicted
                yield Forecast(
                    int(day),
                    int(row.horizon_days),
                    past,
                    draws,
                    row.draws,
                    ratio,
                    row.weeks_after_break,
                )


def refusals(random_state: int) -> list[dict[str, float]]:
    """Rules that refuse after `run` far misses of one sign in succession, by the factor of "far".

    False: refused with no break before. Found: refused among the forecasts within 39 weeks of a
    break, a block after it or later, whose outcome was outside the widened 95 % interval. Right:
    share of the refused whose outcome was more than a factor of 1.5 away, or outside.
    """
    rows = []
    for made in worlds(2, random_state):
        for forecast in forecasts(made):
            low, high = np.quantile(forecast.widened(), TAILS)
            latest = forecast.misses[0] if forecast.misses else []
            after = STEP_WEEKS <= forecast.weeks_after_break < MEMORY_WEEKS
            is_out = not low <= forecast.actual <= high
            row = {"calm": forecast.weeks_after_break <= 0, "broken_and_out": after and is_out}
            row["kind"] = f"{made['kind'].iloc[0]} {made['size'].iloc[0]}"
            row["wrong"] = is_out or abs(np.log(forecast.actual)) > np.log(1.5)
            for run in RUNS:
                for factor in FACTORS:
                    row[f"{run} x{factor}"] = _is_far(latest[:run], run, factor)
            rows.append(row)
    table, found = pd.DataFrame(rows), []
    for run in RUNS:
        for factor in FACTORS:
            refused = table[f"{run} x{factor}"]
            calm = table[table["calm"]]
            false = calm.groupby("kind")[f"{run} x{factor}"].mean()
            found.append(
                {
                    "run": run,
                    "factor": factor,
                    "false_share": false.mean(),
                    "false_share_worst_kind": false.max(),
                    "found_share": refused[table["broken_and_out"]].mean(),
                    "right_share": table.loc[refused, "wrong"].mean(),
                }
            )
    return _rounded(pd.DataFrame(found))


def _is_far(latest: Sequence[Miss], run: int, factor: float) -> bool:
    far = [
        np.sign(miss.log_ratio)
        for miss in latest
        if abs(miss.log_ratio) > np.log(factor) + 2 * miss.chance
    ]
    return len(far) == run and abs(sum(far)) == run


def statuses(random_state: int) -> list[dict[str, float | str]]:
    """Coverage of the 90 % interval of the next total, by the status it was given."""
    rows = []
    for made in worlds(1, random_state, weeks=156):
        for forecast in forecasts(made, horizons=(28, 84)):
            low, median, high = np.quantile(forecast.widened(), [WIDE[0], 0.5, WIDE[1]])
            status = TotalStatus.judge(
                forecast.past,
                forecast.horizon_days,
                forecast.day,
                forecast.draws,
                median,
                high,
            ).status
            inside = low <= forecast.actual <= high
            rows.append(
                (status, made["kind"].iloc[0], inside, abs(np.log(forecast.actual)) > np.log(1.5))
            )
    table = pd.DataFrame(rows, columns=["status", "kind", "inside", "far"])
    found = table.groupby("status").agg(
        forecasts=("inside", "size"),
        coverage_90=("inside", "mean"),
        off_by_half_share=("far", "mean"),
    )
    return _rounded(found.reset_index())


def recovery(random_state: int) -> list[dict[str, float | str]]:
    """Median width of the 90 % interval over the forecast, by weeks since a large break.

    Beside it the width without half-life and without forgetting breaks.
    """
    chance, rows = np.random.default_rng(random_state), []
    remembering = replace(ASSUMPTIONS, half_life_days=np.inf, forgets_breaks=False)
    edges = [-np.inf, 0, 20, 40, 60, 90, np.inf]
    for size in (0.05, 0.15):
        for _ in range(12):
            made = world("a large break", size, chance, weeks=208)
            for forecast in forecasts(made, horizons=(28,)):
                low, high = np.quantile(forecast.widened(), WIDE)
                remembered = np.ptp(np.quantile(forecast.widened(remembering), WIDE))
                is_refused = bool(forecast.misses) and forecast.misses[0][0].is_far
                inside = low <= forecast.actual <= high
                rows.append(
                    (forecast.weeks_after_break, high - low, remembered, is_refused, inside)
                )
    columns = ["weeks", "width", "width_remembering", "refused_share"]
    table = pd.DataFrame(rows, columns=[*columns, "coverage_90"])
    band = pd.cut(table["weeks"], edges, right=False).astype(str).rename("weeks_after_break")
    order = list(dict.fromkeys(band[table["weeks"].argsort(kind="stable")]))
    by_band = table.groupby(band)
    found = by_band[["width", "width_remembering"]].median()
    found["refused_share"] = by_band["refused_share"].mean()
    answered = table[~table["refused_share"].astype(bool)]
    found["coverage_90_answered"] = answered.groupby(band)["coverage_90"].mean()
    return _rounded(found.loc[order].reset_index())


def _rounded(table: pd.DataFrame) -> list[dict[str, float | str]]:
    return json.loads(table.round(4).to_json(orient="records"))
