"""What pymc-marketing needs for the work that `speed.py` measures; runs in its own environment.

Called by `speed.py` as `<peer python> speed_peer.py TASK CUSTOMERS.parquet DRAWS.parquet`; prints
one line of JSON. Imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HORIZONS_DAYS = (30, 90, 180, 365)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def peak_memory_gb() -> float:
    """Of this process alone: ru_maxrss would be inherited from the parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024**2


def customers(file: str) -> pd.DataFrame:
    """Columns of the peer, times in weeks."""
    frame = pd.read_parquet(file)
    x = frame["repeat_purchase_days_count"].to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "customer_id": np.arange(len(frame)),
            "frequency": x,
            "recency": frame["active_span_days"].to_numpy() / 7.0,
            "T": frame["tenure_days"].to_numpy() / 7.0,
            "monetary_value": np.where(
                x > 0, frame["repeat_purchase_amount"].to_numpy() / np.maximum(x, 1), 0.0
            ),
        }
    )


def fit(data: pd.DataFrame) -> dict[str, object]:
    """BetaGeoModel by NUTS (nutpie, four chains of 1,000 draws after 1,000 of tuning)."""
    import arviz
    from pymc_marketing.clv import BetaGeoModel

    model = BetaGeoModel(data=data.drop(columns="monetary_value"))
    start, cpu = time.perf_counter(), time.process_time()
    model.fit(
        method="mcmc", nuts_sampler="nutpie", chains=4, cores=2, progressbar=False, random_seed=1
    )
    used = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu}
    names = ["r", "alpha", "a", "b"]
    summary = arviz.summary(model.idata, var_names=names)
    draws = {name: model.idata.posterior[name].to_numpy() for name in names}
    return used | {
        "posterior_mean": {name: float(values.mean()) for name, values in draws.items()},
        "posterior_sd": {name: float(values.std()) for name, values in draws.items()},
        "ess_bulk_min": float(summary["ess_bulk"].min()),
        "rhat_max": float(summary["r_hat"].max()),
    }


def _model(kind: str, data: pd.DataFrame, draws: pd.DataFrame) -> object:
    """A model that has these draws as its posterior: both sides score with the same ones."""
    import arviz
    from pymc_marketing import clv

    names = {"BetaGeoModel": ["r", "alpha", "a", "b"], "GammaGammaModel": ["p", "q", "v"]}[kind]
    model = getattr(clv, kind)(data=data)
    model.build_model()
    model.idata = arviz.from_dict(
        posterior={name: draws[name].to_numpy()[None, :] for name in names}
    )
    return model


def score(data: pd.DataFrame, draws: pd.DataFrame, full: bool) -> dict[str, object]:
    """Expectations for each customer, draw and horizon; `full` adds what makes our table.

    Expectations: purchases at four horizons, P(alive), spend per order. Full: P(no purchase) at
    four horizons, revenue as purchases times spend, mean and five quantiles over draws of
    purchases, revenue and spend. None of it simulates orders: its intervals are those of the
    expectation. The peer offers no predictive ones, and no discounting but by month.
    """
    single = pd.DataFrame(data.drop(columns="monetary_value"))
    bought = _model("BetaGeoModel", single, draws)
    repeat = data[data["frequency"] > 0]
    spent = _model("GammaGammaModel", repeat[["customer_id", "frequency", "monetary_value"]], draws)
    everyone = data[["customer_id", "frequency", "monetary_value"]]
    table: dict[str, np.ndarray] = {}

    def summarise(name: str, values: np.ndarray) -> None:
        table[f"{name}_mean"] = values.mean(axis=0)
        if full:
            for level, found in zip(LEVELS, np.quantile(values, LEVELS, axis=0), strict=True):
                table[f"{name}_{level}"] = found

    start, cpu = time.perf_counter(), time.process_time()
    alive = bought.expected_probability_alive(single)
    table["alive"] = np.asarray(alive).mean(axis=(0, 1))
    spend = np.asarray(spent.expected_customer_spend(everyone))[0]
    summarise("spend", spend)
    for days in HORIZONS_DAYS:
        purchases = np.asarray(bought.expected_purchases(single, future_t=days / 7.0))[0]
        summarise(f"purchases_{days}", purchases)
        if full:
            nothing = bought.expected_probability_no_purchase(days / 7.0, single)
            table[f"silent_{days}"] = np.asarray(nothing).mean(axis=(0, 1))
            summarise(f"revenue_{days}", purchases * spend)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - cpu,
        "expected_orders": [float(table[f"purchases_{days}_mean"].sum()) for days in HORIZONS_DAYS],
    }


def main() -> None:
    """Do one task and print what it took."""
    warnings.filterwarnings("ignore")
    task, file, draws_file = sys.argv[1:4]
    data = customers(file)
    if task == "fit":
        result = fit(data)
    else:
        result = score(data, pd.read_parquet(draws_file), task == "score_full")
    print(json.dumps(result | {"peak_memory_gb": peak_memory_gb()}))


if __name__ == "__main__":
    main()
