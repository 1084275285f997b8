r"""Does the route of a customer help to predict purchases beyond the lifetime-value model?

At month-ends, what the model expects of the next 30 days (one family, fitted on that day's history)
is corrected by a Poisson regression on past origins: once on the model and the stage of today, once
also on the route (stage a month and two months before, months in the stage, stages so far). Origins
are in order: learned where outcomes had ended, judged on later ones. Told is the Poisson deviance
per customer on the judged origins, and the difference with its 95 % interval by bootstrap over
customers. Routes would be offered to the model only if they lowered it clearly on the sets at hand.

    python -m benchmarks.migration_routes --data FOLDER \
        --out benchmarks/results/migration_routes.json

About ten minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import peer_data
from benchmarks.migration_data import STAGES, stages_of
from models_py.lifetime_value import LifetimeValue, Sampling, group_purchases, group_spend

HORIZON = 30
MAX_ORIGINS = 12
TESTED = 3
RIDGE = 1e-3
NONE = len(STAGES)  # the stage of who was no customer then


def origin_rows(data: peer_data.Purchases) -> pd.DataFrame:
    """One row per customer and origin: outcome, expectation, stage and route."""
    last = data.days["date"].max() - pd.Timedelta(days=HORIZON)
    ends = pd.date_range(data.days["date"].min() + pd.Timedelta(days=90), last, freq="ME")
    days = data.days.sort_values(["customer_id", "date"], kind="stable")
    early = days[days["date"] <= ends[0]].groupby("customer_id")["amount"].sum()
    line = float(early.quantile(0.9))
    stages = {end: stages_of(days, end, line) for end in ends}
    rows = []
    for place in range(max(2, len(ends) - MAX_ORIGINS), len(ends)):
        end = ends[place]
        batch = data.batch(end.date())
        model = LifetimeValue((HORIZON,), draws_kept=100, sampling=Sampling(), random_state=1)
        model.fit(group_purchases(batch), group_spend(batch))
        value = model.predict(batch, end.date()).set_index("customer_id")
        outcome = data.outcomes(end.date(), HORIZON).set_index("customer_id")
        now = stages[end]
        path = [stages[ends[place - back]].reindex(now.index, fill_value=NONE) for back in (1, 2)]
        spell, is_same = np.zeros(len(now)), np.ones(len(now), dtype=bool)
        seen = {number: now.to_numpy() == number for number in range(len(STAGES))}
        for back in range(1, place + 1):
            before = stages[ends[place - back]].reindex(now.index, fill_value=NONE).to_numpy()
            is_same &= before == now.to_numpy()
            spell += is_same
            for number in seen:
                seen[number] = seen[number] | (before == number)
        rows.append(
            pd.DataFrame(
                {
                    "customer_id": now.index,
                    "origin": end,
                    "orders": outcome["realised_orders_count"].reindex(now.index).to_numpy(),
                    "expected": value["predicted_orders_mean"].reindex(now.index).to_numpy(),
                    "stage": now.to_numpy(),
                    "stage_before": path[0].to_numpy(),
                    "stage_two_before": path[1].to_numpy(),
                    "months_in_stage": spell,
                    "stages_so_far": sum(flag.astype(int) for flag in seen.values()),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def design(rows: pd.DataFrame, *, with_route: bool) -> np.ndarray:
    """Columns of the regression, (customer and origin, column)."""
    stage = rows["stage"].to_numpy()
    expected = np.log(rows["expected"].to_numpy() + 1e-4)
    columns = [expected, *(stage == number for number in range(len(STAGES)))]
    columns += [(stage == number) * expected for number in range(len(STAGES))]
    if with_route:
        spell = np.log1p(rows["months_in_stage"].to_numpy())
        columns += [spell * (stage == number) for number in range(len(STAGES))]
        columns.append(np.log(rows["stages_so_far"].to_numpy()))
        for name in ("stage_before", "stage_two_before"):
            columns += [rows[name].to_numpy() == number for number in range(len(STAGES) + 1)]
    return np.column_stack([np.asarray(column, dtype=float) for column in columns])


def deviance(actual: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Poisson deviance of each row."""
    mean = np.maximum(mean, 1e-6)
    safe = np.where(actual > 0, actual, 1.0)
    result: np.ndarray = 2 * (
        np.where(actual > 0, actual * np.log(safe / mean), 0.0) - (actual - mean)
    )
    return result


def compare(rows: pd.DataFrame) -> dict[str, object]:
    """Deviance per customer and origin of the three forecasts on the judged origins."""
    from sklearn.linear_model import PoissonRegressor
    from sklearn.preprocessing import StandardScaler

    origins = sorted(rows["origin"].unique())
    tested = origins[-TESTED:]
    # An outcome window must have ended before the first judged origin.
    learned = [o for o in origins if o + pd.Timedelta(days=HORIZON) <= tested[0]]
    train, test = rows[rows["origin"].isin(learned)], rows[rows["origin"].isin(tested)]
    actual = test["orders"].to_numpy(float)
    loss = {"model": deviance(actual, test["expected"].to_numpy())}
    for name, with_route in (("model_and_stage", False), ("model_stage_and_route", True)):
        scaler = StandardScaler().fit(design(train, with_route=with_route))
        regression = PoissonRegressor(alpha=RIDGE, max_iter=2_000)
        regression.fit(
            scaler.transform(design(train, with_route=with_route)), train["orders"].to_numpy(float)
        )
        loss[name] = deviance(
            actual, regression.predict(scaler.transform(design(test, with_route=with_route)))
        )
    gain = pd.Series(loss["model_stage_and_route"] - loss["model_and_stage"])
    by = gain.groupby(test["customer_id"].to_numpy()).agg(["sum", "size"]).to_numpy()
    rng = np.random.default_rng(1)
    again = [by[rng.integers(0, len(by), len(by))].sum(axis=0) for _ in range(1_000)]
    low, high = np.quantile([total / count for total, count in again], [0.025, 0.975])
    return {
        "origins_learned": len(learned),
        "origins_judged": len(tested),
        "customers": len(by),
        "deviance": {name: round(float(values.mean()), 4) for name, values in loss.items()},
        "route_minus_stage": round(float(gain.mean()), 5),
        "interval": [round(float(low), 5), round(float(high), 5)],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the public sets; without it none")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    names = peer_data.SETS if given.data else ("retailer",)
    result = {}
    for name in names:
        result[name] = compare(origin_rows(peer_data.load(name, given.data, 1, 5_000)))
        print(name, json.dumps(result[name]), flush=True)
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")
