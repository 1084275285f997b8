"""Every measure beside pymc-marketing's models, on the same data: public sets and the retailer.

Run `python -m benchmarks.peers --data FOLDER --peer-python PYTHON`, where PYTHON belongs to an
environment of its own with pymc-marketing 0.19; it writes `benchmarks/results/peers.json`. Cuts are
in `peer_data.py` and were set before anything was forecast; no setting is chosen by a result.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peer_data import SETS, Purchases, load, origins
from dagster_project import backtest_families, backtesting
from models_py.lifetime_value import LifetimeValue, group_purchases, group_spend, measures, score
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.baselines import (
    DAYS_PER_WEEK,
    GradientBoosting,
    NegativeBinomial,
    naive_forecasts,
)
from models_py.lifetime_value.scores import baseline_rows

RESULT = Path(__file__).parent / "results" / "peers.json"
PEERS = ("bg_nbd", "pareto_nbd", "mbg_nbd")
OURS = ("mbg_nbd", "bg_nbd", "pareto_nbd")
SELECTED = "clientela selected"
SELECTION_HORIZONS = (30, 90)
DRAWS = 500
TRACKING_DRAWS = 50


def fit_peer(
    python: str, cache: Path, data: Purchases, batch: pd.DataFrame, family: str
) -> dict[str, np.ndarray]:
    """Parameters at the mode, P(alive) and expected purchases by the peer library itself."""
    target = cache / f"{data.name}-{family}.npz"
    if not target.exists():
        source = cache / f"{data.name}.csv"
        batch.to_csv(source, index=False)
        script = str(Path(__file__).with_name("peer_fit.py"))
        command = [python, script, str(source), str(target), family, str(data.horizon_days)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with np.load(target) as stored:
        return {name: stored[name] for name in stored.files}


def peer_futures(
    found: dict[str, np.ndarray], family: str, batch: pd.DataFrame, weeks: float, seed: int
) -> dict[str, np.ndarray]:
    """Orders and revenue (customer, draw) by the law of the family at the peer's parameters.

    Given alive, Pareto/NBD has rate Gamma(r + x, alpha + T) and lifetime rate Gamma(s, beta + T);
    BG/NBD and MBG/NBD have the same rate and a dropout probability Beta(a, b + chances).
    """
    rng = np.random.default_rng(seed)
    value = {k.removeprefix("parameter_"): float(v) for k, v in found.items() if "parameter" in k}
    x = batch["repeat_purchase_days_count"].to_numpy(dtype=float)[:, None]
    age = batch["tenure_days"].to_numpy(dtype=float)[:, None] / DAYS_PER_WEEK
    shape = (len(batch), DRAWS)
    rate = rng.gamma(value["r"] + x, 1.0, shape) / (value["alpha"] + age)
    alive = rng.random(shape) < found["alive"][:, None]
    if family == "pareto_nbd":
        # A small s gives lifetime rates that underflow to 0: nobody leaves.
        leaving = np.maximum(rng.gamma(value["s"], 1.0, shape) / (value["beta"] + age), 1e-12)
        there = np.minimum(rng.exponential(1.0, shape) / leaving, weeks)
        orders = rng.poisson(np.where(alive, rate * there, 0.0)).astype(float)
        per_time = leaving
        height = rate / leaving
    else:
        chances = x + (family == "mbg_nbd")
        dropout = np.clip(
            rng.beta(value["a"], np.maximum(value["b"] + chances, 1e-9), shape), 1e-9, 1 - 1e-9
        )
        last = rng.geometric(dropout)
        orders = np.minimum(rng.poisson(np.where(alive, rate * weeks, 0.0)), last).astype(float)
        per_time = rate * dropout
        height = 1.0 / dropout
    spent = np.where(x > 0, batch["repeat_purchase_amount"].to_numpy(dtype=float)[:, None], 0.0)
    nu_shape, nu_rate = value["q"] + value["p"] * x, value["v"] + spent
    nu = rng.gamma(nu_shape, 1.0, shape) / nu_rate
    revenue = rng.gamma(value["p"] * orders) / nu
    mean_value = (value["p"] * nu_rate / (nu_shape - 1.0))[:, 0]
    some = slice(0, TRACKING_DRAWS)
    grid = np.arange(1, int(weeks) + 1)
    weekly = [
        float((found["alive"] * (height * -np.expm1(-per_time * week))[:, some].mean(axis=1)).sum())
        for week in grid
    ]
    stays = (1.0 + weeks / (value["alpha"] + age)) ** -(value["r"] + x)
    return {
        "orders": orders,
        "revenue": revenue,
        "orders_mean": found["expected"],
        "revenue_mean": found["expected"] * mean_value,
        "alive": found["alive"],
        # Under Pareto/NBD a customer may leave before buying: counted on the simulated orders.
        "purchase": (orders > 0).mean(axis=1)
        if family == "pareto_nbd"
        else found["alive"] * (1.0 - stays[:, 0]),
        "weekly": np.array(weekly),
    }


def evaluated_peer(
    futures: dict[str, np.ndarray], batch: pd.DataFrame, outcomes: pd.DataFrame, horizon: int
) -> pd.DataFrame:
    """The columns of `backtest.evaluate` for a peer's futures."""
    real = outcomes.set_index("customer_id").loc[batch["customer_id"]]
    rng = np.random.default_rng(7)
    table: dict[str, object] = {
        "customer_id": batch["customer_id"].to_numpy(),
        "horizon_days": horizon,
        "x": batch["repeat_purchase_days_count"].to_numpy(dtype=float),
        "purchase_probability": futures["purchase"],
        "alive_probability": futures["alive"],
    }
    names = {"orders": "realised_orders_count", "revenue": "realised_revenue_amount"}
    for quantity, column in names.items():
        actual, draws = real[column].to_numpy(dtype=float), futures[quantity]
        table[f"realised_{quantity}"] = actual
        table[f"predicted_{quantity}"] = futures[f"{quantity}_mean"]
        for name, level in bt.QUANTILE_LEVELS.items():
            table[f"{quantity}_{name}"] = measures.quantile(draws, level)
        table[f"{quantity}_crps"] = measures.crps(draws, actual)
        table[f"{quantity}_pit"] = measures.randomised_pit(draws, actual, rng.random(len(actual)))
    return pd.DataFrame(table)


def selected_family(data: Purchases) -> str:
    """The family that the pipeline selects on origins S inside the calibration period."""
    days = origins(data, data.cut, min(SELECTION_HORIZONS))
    plan = backtesting.plan(days, data.cut, SELECTION_HORIZONS)
    choosing = sorted(
        {day for roles in plan.values() for day, role in roles.items() if role == "S"}
    )
    gains: dict[str, list[np.ndarray]] = {}
    for day in choosing[-backtest_families.MAX_SELECTION_ORIGINS :]:
        horizons = [horizon for horizon, roles in plan.items() if roles.get(day) == "S"]
        batch = data.batch(day)
        outcomes = pd.concat(data.outcomes(day, horizon) for horizon in horizons)
        rows = {}
        for family in OURS:
            model = LifetimeValue(horizons, purchase_model=family, draws_kept=DRAWS, random_state=1)
            model.fit(group_purchases(batch), group_spend(batch))
            rows[family] = bt.evaluate(model, batch, outcomes, day)
        for family, horizon in ((f, h) for f in OURS[1:] for h in horizons):
            pair = [rows[f][rows[f]["horizon_days"] == horizon] for f in (OURS[0], family)]
            gains.setdefault(family, []).append(backtest_families.relative_gain(*pair))
    return backtest_families.select(OURS[0], gains)


def baselines_of(data: Purchases, batch: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Baselines at the cut; trees learn at the last date whose outcome window ends by the cut."""
    horizon = data.horizon_days
    back = data.window(data.cut - dt.timedelta(days=horizon), data.cut)
    recent = back.groupby("customer_id")["amount"].agg(["size", "sum"]).reset_index()
    recent.columns = ["customer_id", "recent_orders_count", "recent_revenue_amount"]
    forecasts = naive_forecasts(batch, horizon, recent)
    earlier = data.cut - dt.timedelta(days=horizon)
    # Trees need customers to learn from: at least a quarter of those at the cut.
    if len(past := data.batch(earlier)) * 4 >= len(batch):
        trees = GradientBoosting(1).fit(past, data.outcomes(earlier, horizon))
        forecasts["gradient_boosting"] = trees.predict(batch)
    x = batch["repeat_purchase_days_count"].to_numpy(dtype=float)
    weeks = batch["tenure_days"].to_numpy(dtype=float) / DAYS_PER_WEEK
    actual = rows["realised_orders"].to_numpy()
    nbd = NegativeBinomial.fit(x, weeks).crps(x, weeks, horizon / DAYS_PER_WEEK, actual)
    return baseline_rows(forecasts, rows, {"nbd": nbd})


def measure(data: Purchases, python: str, cache: Path) -> dict[str, object]:
    """All measures of all models on one set, and paired differences in CRPS."""
    batch, horizon = data.batch(), data.horizon_days
    outcomes = data.outcomes(data.cut, horizon)
    ahead = (data.window(data.cut, data.end)["date"] - pd.Timestamp(data.cut)).dt.days[
        data.window(data.cut, data.end)["customer_id"].isin(batch["customer_id"])
    ]
    weeks = int(horizon // DAYS_PER_WEEK)
    ends = DAYS_PER_WEEK * np.arange(1, weeks + 1)
    actual_weekly = np.searchsorted(np.sort(ahead.to_numpy()), ends, side="right")
    evaluated, tracking, seconds, totals = {}, {}, {}, {}
    real_total = float(outcomes["realised_orders_count"].sum())
    for family in OURS:
        started = time.perf_counter()
        model = LifetimeValue((horizon,), purchase_model=family, draws_kept=DRAWS, random_state=1)
        model.fit(group_purchases(batch), group_spend(batch))
        name = f"clientela {family}"
        seconds[name] = time.perf_counter() - started
        evaluated[name] = bt.evaluate(model, batch, outcomes, data.cut)
        weekly = bt.weekly_tracking(model, batch, ahead.to_numpy(), data.cut, weeks)
        tracking[name] = weekly["forecast"].to_numpy()
    selected = f"clientela {selected_family(data)}"
    for known in (evaluated, tracking, seconds):
        known[SELECTED] = known[selected]
    for family in PEERS:
        found = fit_peer(python, cache, data, batch, family)
        futures = peer_futures(found, family, batch, horizon / DAYS_PER_WEEK, seed=3)
        name = f"pymc-marketing {family}"
        seconds[name] = float(found["seconds"])
        evaluated[name] = evaluated_peer(futures, batch, outcomes, horizon)
        tracking[name] = futures["weekly"]
        low, high = np.quantile(futures["orders"].sum(axis=0), [0.025, 0.975])
        totals[name] = {"low": low, "high": high, "holds": bool(low <= real_total <= high)}
    first = f"clientela {OURS[0]}"
    base = baselines_of(data, batch, evaluated[first])
    rows, levels = [], []
    for name, table in evaluated.items():
        metrics, calibration = score(
            table, data.end, data.cut, name, base if name == first else None
        )
        rows.append(metrics)
        levels.append(calibration)
        value = measures.tracking_mape(tracking[name], actual_weekly.astype(float))
        rows.append(
            pd.DataFrame(
                [{"slice": "all", "model": name, "metric": "orders_tracking_mape", "value": value}]
            )
        )
    table = pd.concat(rows)
    coverage = pd.concat(levels)
    coverage = coverage[coverage["quantity"] != "churn"]
    differences = []
    for ours in (f"clientela {family}" for family in OURS):
        for theirs in (f"pymc-marketing {family}" for family in PEERS):
            pairs = np.column_stack(
                [
                    evaluated[theirs][f"{quantity}_crps"] - evaluated[ours][f"{quantity}_crps"]
                    for quantity in bt.QUANTITIES
                ]
            )
            gain, drawn = measures.better_by([pairs], random_state=11)
            low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
            for number, quantity in enumerate(bt.QUANTITIES):
                differences.append(
                    {
                        "ours": ours, "theirs": theirs, "quantity": quantity,
                        "crps_gain": gain[number], "low": low[number], "high": high[number],
                    }
                )  # fmt: skip
    return {
        "customers": len(batch),
        "cut": str(data.cut),
        "horizon_days": horizon,
        "actual_orders": real_total,
        "seconds_to_fit": seconds,
        "selected": selected,
        "measures": {
            f"{model} | {part}": dict(zip(rows["metric"], rows["value"], strict=True))
            for (model, part), rows in table.groupby(["model", "slice"], sort=False)
        },
        "coverage": coverage[
            ["model", "slice", "quantity", "nominal_level", "observed_coverage", "pit_coverage"]
        ].to_dict("records"),
        "crps_differences": differences,
        "peer_totals_95_noise_only": totals,
    }


def rounded(value: object) -> object:
    """Four significant digits everywhere, for a file that can be read and compared."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.4g}")
    return value


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--peer-python", required=True)
    parser.add_argument("--cache", type=Path, help="keeps the peers' fits between runs")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    cache = arguments.cache or Path(tempfile.mkdtemp(prefix="clientela-peers-"))
    known = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    result: dict[str, object] = known | {
        "command": "python -m benchmarks.peers --data FOLDER --peer-python PYTHON",
        "peers": "pymc-marketing 0.19.2, method map, the library's default priors",
    }
    for name in arguments.sets:
        result[name] = rounded(measure(load(name, arguments.data), arguments.peer_python, cache))
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")
        shown = pd.DataFrame(result[name]["measures"]).T  # type: ignore[index]
        keys = ["orders_bias", "orders_correlation", "orders_rmse", "orders_crps",
                "orders_tracking_mape", "orders_mae", "revenue_crps"]  # fmt: skip
        print(f"\n{name}\n", shown[shown.index.str.endswith("| all")].reindex(columns=keys))


if __name__ == "__main__":
    main()
