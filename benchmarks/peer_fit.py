"""One model of pymc-marketing on one data set; runs in that library's own environment.

Called by `peers.py` as `PYTHON benchmarks/peer_fit.py INPUT.csv OUTPUT.npz FAMILY HORIZON_DAYS`;
needs pymc-marketing alone and imports nothing of this project. How forecasts are scored, and which
sets there are, stays in `peers.py`.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd

DAYS_PER_WEEK = 7.0
CHUNK = 2000


def main() -> None:
    """Fit by the posterior's mode with the library's default priors; write what forecasts need."""
    source, target, family, horizon = sys.argv[1:5]
    warnings.filterwarnings("ignore")
    from pymc_marketing import clv

    frame = pd.read_csv(source)
    data = pd.DataFrame(
        {
            "customer_id": np.arange(len(frame)),
            "frequency": frame["repeat_purchase_days_count"].astype(float),
            "recency": frame["active_span_days"] / DAYS_PER_WEEK,
            "T": frame["tenure_days"] / DAYS_PER_WEEK,
        }
    )
    started = time.perf_counter()
    kinds = {
        "bg_nbd": clv.BetaGeoModel,
        "mbg_nbd": clv.ModifiedBetaGeoModel,
        "pareto_nbd": clv.ParetoNBDModel,
    }
    model = kinds[family](data=data)
    fitted = model.fit(method="map")
    seconds = time.perf_counter() - started
    found = {
        f"parameter_{name}": float(fitted.posterior[name].mean())
        for name in ("r", "alpha", "a", "b", "s", "beta")
        if name in fitted.posterior
    }
    alive, expected = [], []
    for start in range(0, len(data), CHUNK):
        part = data.iloc[start : start + CHUNK]
        alive.append(model.expected_probability_alive(part).mean(("chain", "draw")).to_numpy())
        expected.append(
            model.expected_purchases(part, future_t=float(horizon) / DAYS_PER_WEEK)
            .mean(("chain", "draw"))
            .to_numpy()
        )
    buyers = (data["frequency"] > 0) & (frame["repeat_purchase_amount"] > 0)
    repeat = data[buyers].assign(
        monetary_value=(frame["repeat_purchase_amount"] / data["frequency"])[buyers]
    )
    spend = clv.GammaGammaModel(data=repeat[["customer_id", "frequency", "monetary_value"]])
    spent = spend.fit(method="map")
    for name in ("p", "q", "v"):
        found[f"parameter_{name}"] = float(spent.posterior[name].mean())
    np.savez(
        target,
        alive=np.concatenate(alive),
        expected=np.concatenate(expected),
        seconds=seconds,
        **found,
    )


if __name__ == "__main__":
    main()
