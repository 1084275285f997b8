"""Posteriors on the CDNOW sample beside the estimates published by Fader and Hardie.

Run `python -m benchmarks.cdnow --data FOLDER`, where `cdnow_sample_transactions.parquet` is; it
writes `benchmarks/results/cdnow.json`.
Exact log-likelihoods are tests (tests/models/test_lifetime_value_cdnow.py).
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pandas as pd

from models_py.lifetime_value import Sampling, group_purchases, purchases, spend_means

RESULT = Path(__file__).parent / "results" / "cdnow.json"
CUT = pd.Timestamp("1997-09-30")
PUBLISHED = {
    "bg_nbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "mbg_nbd": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    "gamma_gamma": {"p": 6.25, "q": 3.74, "v": 15.44},
}


def customers(folder: Path) -> pd.DataFrame:
    """One row per customer of the first 39 weeks; purchases of one day are one purchase."""
    rows = pd.read_parquet(folder / "cdnow_sample_transactions.parquet")
    days = rows[rows["date"] <= CUT].groupby(["customer_id", "date"], as_index=False)
    days = days["dollar_value"].sum()
    by_customer = days.groupby("customer_id")
    first, last = by_customer["date"].min(), by_customer["date"].max()
    total, first_amount = by_customer["dollar_value"].sum(), by_customer["dollar_value"].first()
    return pd.DataFrame(
        {
            "repeat_purchase_days_count": by_customer.size() - 1,
            "active_span_days": (last - first).dt.days,
            "tenure_days": (CUT - first).dt.days,
            "repeat_amount_sum": total - first_amount,
        }
    )


def repeat_buyers(frame: pd.DataFrame) -> pd.DataFrame:
    """Those of `customers` whose repeat purchases have a value, as the spend model wants them."""
    named = frame.rename(columns={"repeat_purchase_days_count": "repeat_purchases_count"})
    return named[(named["repeat_purchases_count"] > 0) & (named["repeat_amount_sum"] > 0)]


def measure(folder: Path) -> pd.DataFrame:
    """Posterior mean and sd of every parameter, the published value, and their distance in sds."""
    frame = customers(folder)
    grouped, buyers = group_purchases(frame), repeat_buyers(frame)
    draws = {
        name: purchases.fit(grouped, name, Sampling(), 4000, 1)[0] for name in ("bg_nbd", "mbg_nbd")
    }
    draws["gamma_gamma"] = spend_means.fit(buyers, Sampling(), 4000, 1)[0]
    rows = [
        {
            "model": model,
            "parameter": parameter,
            "published": value,
            "mean": float(draws[model][parameter].mean()),
            "sd": float(draws[model][parameter].std()),
        }
        for model, published in PUBLISHED.items()
        for parameter, value in published.items()
    ]
    table = pd.DataFrame(rows)
    table["sds_apart"] = (table["mean"] - table["published"]).abs() / table["sd"]
    return table.round(4)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLIENTELA_TEST_DATA"))
    folder = parser.parse_args().data
    if folder is None or not Path(folder).is_dir():
        print("CDNOW is not shipped: name its folder by --data or CLIENTELA_TEST_DATA. Skipped.")
        return
    table = measure(Path(folder))
    print(table.to_string(index=False))
    RESULT.write_text(json.dumps(table.to_dict("records"), indent=1) + "\n")


if __name__ == "__main__":
    main()
