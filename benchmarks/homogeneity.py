"""Are micro-segments more alike in what they spend next than RFM and k-means groups are?

Run `python -m benchmarks.homogeneity --data FOLDER`; it writes
`benchmarks/results/homogeneity.json`. Groups are formed on the cut day, from purchase days alone,
and judged by the spend of the next 180 days, winsorised at its 99 % quantile. The Complete Journey
is cut 180 days before its end, and again at 39 weeks, after which 91 days are left. Every method
has as many groups as there are micro-segments. The layers are those of `CANDIDATES` that did best
in the shop's own past, by the ratio to k-means: at a cut so long before the reported one that
nothing after that is seen. How customers are clustered stays in `models_py.segmentation`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from benchmarks.peer_data import Purchases, load
from models_py.lifetime_value import LifetimeValue, Sampling, group_purchases, group_spend
from models_py.segmentation import (
    LifecycleRules,
    Microsegmentation,
    assign_stages,
    fit_star_value,
)

RESULT = Path(__file__).parent / "results" / "homogeneity.json"
HORIZON_DAYS = 180
STAGE_HORIZON_DAYS = 90  # lifecycle.horizon_days of config.yml
RULES = LifecycleRules(reactivated_gap_days=120, horizon_days=STAGE_HORIZON_DAYS)
FLOOR = 30  # segmentation.floor_customers of config.yml
WINSOR_QUANTILE = 0.99
RESAMPLES = 1_000
REPORT_SEED = 1
RETAILER_CUSTOMERS = 6_000
CANDIDATES = {
    "one layer, observed": {
        "value_behaviour": (
            "average_order_amount",
            "revenue_365d_amount",
            "purchase_days_count",
            "recency_days",
        ),
    },
    "one layer, predicted": {
        "value_behaviour": (
            "predicted_revenue_mean",
            "average_order_amount",
            "median_gap_days",
            "recency_days",
        ),
    },
    "two layers": {
        "value": ("predicted_revenue_mean", "average_order_amount"),
        "behaviour": ("purchase_days_count", "recency_days", "median_gap_days"),
    },
    "value alone": {"value": ("predicted_revenue_mean",)},
}


def customers(data: Purchases, cut: dt.date) -> pd.DataFrame:
    """What the pipeline knows of each buyer on the cut day, as far as purchase days tell it.

    Returns
    -------
    DataFrame
        customer_id, stage, and the features of `CANDIDATES`, ordered by customer_id.
    """
    batch = data.batch(cut)
    model = LifetimeValue(
        (STAGE_HORIZON_DAYS,), draws_kept=300, sampling=Sampling("importance"), random_state=1
    ).fit(group_purchases(batch), group_spend(batch))
    value = model.predict(batch, cut)
    at = pd.Timestamp(cut)
    seen = data.days[data.days["date"] <= at].sort_values(["customer_id", "date"])
    seen = seen.assign(gap=seen.groupby("customer_id")["date"].diff().dt.days)
    by = seen.groupby("customer_id")
    year = seen[seen["date"] > at - pd.Timedelta(days=365)].groupby("customer_id")["amount"].sum()
    known = pd.DataFrame(
        {
            "purchase_days_count": by.size(),
            "tenure_days": (at - by["date"].min()).dt.days,
            "recency_days": (at - by["date"].max()).dt.days,
            "median_gap_days": by["gap"].median(),
            "days_between_last_two_purchases": by["gap"].last(),
            "average_order_amount": by["amount"].mean(),
            "observed_revenue_amount": by["amount"].sum(),
        }
    )
    known["revenue_365d_amount"] = year.reindex(known.index, fill_value=0.0)
    numbers = value[["customer_id", "purchase_probability", "predicted_revenue_mean"]]
    frame = known.reset_index().merge(numbers, on="customer_id").sort_values("customer_id")
    rules = fit_star_value(frame, RULES)
    return frame.merge(assign_stages(frame, rules)[["customer_id", "stage"]], on="customer_id")


def microsegments(frame: pd.DataFrame, layers: dict[str, tuple[str, ...]]) -> np.ndarray:
    """Micro-segment of each row of `customers`, as numbers from 0."""
    model = Microsegmentation(layers, floor=FLOOR, random_state=1).fit(frame)
    keys = model.microsegments(model.predict(frame)).set_index("customer_id")["microsegment_key"]
    return pd.factorize(keys.reindex(frame["customer_id"]), sort=True)[0]


def rfm_scores(frame: pd.DataFrame) -> np.ndarray:
    """Quintiles 1 to 5 of recency (5 is the latest), frequency and value; equals share a score."""
    columns = (
        -frame["recency_days"],
        frame["purchase_days_count"],
        frame["observed_revenue_amount"],
    )
    return np.column_stack([np.ceil(5 * column.rank(pct=True)).astype(int) for column in columns])


def rfm_cells(frame: pd.DataFrame, groups: int) -> np.ndarray:
    """The cells of three quintiles; the smallest joins the nearest until so many are left."""
    scores = rfm_scores(frame)
    cells, label = np.unique(scores, axis=0, return_inverse=True)
    label, centres = label.reshape(-1), cells.astype(float)
    sizes = np.bincount(label).astype(float)
    owner = np.arange(len(cells))
    while (sizes > 0).sum() > groups:
        small = int(np.where(sizes > 0, sizes, np.inf).argmin())
        apart = np.abs(centres - centres[small]).sum(axis=1)
        apart[(sizes == 0) | (np.arange(len(sizes)) == small)] = np.inf
        near = int(apart.argmin())
        total = sizes[near] + sizes[small]
        centres[near] = (centres[near] * sizes[near] + centres[small] * sizes[small]) / total
        sizes[near], sizes[small] = total, 0.0
        owner[owner == small] = near
    return np.unique(owner[label], return_inverse=True)[1]


def rfm_bands(frame: pd.DataFrame, groups: int) -> np.ndarray:
    """Bands of equal size of the sum of the three quintiles; of equal sums, by value."""
    order = pd.DataFrame(
        {"score": rfm_scores(frame).sum(axis=1), "value": frame["observed_revenue_amount"]}
    ).sort_values(["score", "value"], kind="stable")
    band = np.empty(len(frame), dtype=int)
    band[order.index.to_numpy()] = np.arange(len(frame)) * groups // len(frame)
    return band


def k_means(frame: pd.DataFrame, groups: int) -> np.ndarray:
    """k-means on standardised logarithms of recency, frequency and value."""
    columns = ["recency_days", "purchase_days_count", "observed_revenue_amount"]
    values = np.log1p(frame[columns].to_numpy(dtype=float))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    return KMeans(groups, n_init=10, random_state=1).fit_predict(values)


def within_share(label: np.ndarray, spend: np.ndarray, weights: np.ndarray) -> float:
    """Variance of spend inside groups as a share of all its variance, by weights of customers."""
    size = np.bincount(label, weights)
    total = np.bincount(label, weights * spend)
    squares = float(np.sum(weights * spend**2))
    inside = squares - float(np.sum(total**2 / np.maximum(size, 1e-12)))
    return inside / (squares - float(np.sum(weights * spend)) ** 2 / float(weights.sum()))


def compare(
    frame: pd.DataFrame, spend: np.ndarray, layers: dict[str, tuple[str, ...]], resamples: int
) -> dict[str, object]:
    """Within-group shares of every method, and the bootstrap interval of ours minus theirs."""
    ours = microsegments(frame, layers)
    groups = int(ours.max()) + 1
    spend = np.minimum(spend, np.quantile(spend, WINSOR_QUANTILE))
    labels = {
        "rfm_cells": rfm_cells(frame, groups),
        "rfm_bands": rfm_bands(frame, groups),
        "k_means": k_means(frame, groups),
    }
    count = len(frame)
    even = np.ones(count)
    own = within_share(ours, spend, even)
    generator = np.random.default_rng(1)
    differences: dict[str, list[float]] = {name: [] for name in labels}
    for _ in range(resamples):
        weights = generator.multinomial(count, even / count).astype(float)
        drawn = within_share(ours, spend, weights)
        for name, label in labels.items():
            differences[name].append(drawn - within_share(label, spend, weights))
    stages = pd.factorize(frame["stage"], sort=True)[0]
    cells = np.unique(rfm_scores(frame), axis=0, return_inverse=True)[1].reshape(-1)
    others = {}
    for name, label in labels.items():
        share = within_share(label, spend, even)
        low, high = np.quantile(differences[name], [0.025, 0.975])
        others[name] = {
            "groups": len(np.unique(label)),
            "within_share": share,
            "difference": own - share,
            "low": low,
            "high": high,
            "is_lower": bool(high < 0),
        }
    return {
        "customers": count,
        "groups": groups,
        "within_share": own,
        "against": others,
        "without_clusters": {"groups": int(stages.max()) + 1,
                             "within_share": within_share(stages, spend, even)},
        "rfm_unmerged": {"groups": int(cells.max()) + 1,
                         "within_share": within_share(cells, spend, even)},
    }  # fmt: skip


def customers_and_spend(
    data: Purchases, cut: dt.date, days: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """`customers` at a cut, and what each of them spends in the days after it, row by row."""
    frame = customers(data, cut)
    outcomes = data.outcomes(cut, days).set_index("customer_id")["realised_revenue_amount"]
    return frame, outcomes.reindex(frame["customer_id"]).to_numpy(dtype=float)


def rounded(value: object) -> object:
    """Four digits are enough to judge by, and do not change with every library."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    return round(value, 4) if isinstance(value, float) else value


def last_cut(data: Purchases) -> dt.date:
    """The last day with a whole horizon after it."""
    return data.days["date"].max().date() - dt.timedelta(days=HORIZON_DAYS)


def choose(data: Purchases, cut: dt.date, days: int) -> dict[str, object]:
    """The candidate that was best against k-means at an earlier cut, by the days up to `cut`.

    The earlier cut leaves a whole horizon before `cut`, or half of a shorter history.
    """
    history = (cut - data.days["date"].min().date()).days
    days = min(days, history // 2)
    earlier = cut - dt.timedelta(days=days)
    frame, spend = customers_and_spend(data, earlier, days)
    found: dict[str, dict[str, object]] = {}
    for name, layers in CANDIDATES.items():
        compared = compare(frame, spend, layers, 1)
        own, theirs = compared["within_share"], compared["against"]["k_means"]["within_share"]
        found[name] = {
            "groups": compared["groups"],
            "within_share": own,
            "ratio_to_k_means": own / theirs,
        }
    chosen = min(found, key=lambda name: found[name]["ratio_to_k_means"])
    return {"cut": str(earlier), "horizon_days": days, "candidates": found, "chosen": chosen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public files")
    arguments = parser.parse_args()
    started = time.perf_counter()
    sets: dict[str, dict[str, object]] = {}
    for name in ("complete_journey", "online_retail", "adventureworks", "retailer"):
        data = load(name, arguments.data, REPORT_SEED, RETAILER_CUSTOMERS)
        cuts = {name: (last_cut(data), HORIZON_DAYS)}
        if name == "complete_journey":
            cuts["complete_journey_39_weeks"] = (data.cut, data.horizon_days)
        for label, (cut, days) in cuts.items():
            choice = choose(data, cut, days)
            frame, spend = customers_and_spend(data, cut, days)
            sets[label] = {"cut": str(cut), "horizon_days": days, "choice": choice}
            sets[label] |= compare(frame, spend, CANDIDATES[choice["chosen"]], RESAMPLES)
            print(label, json.dumps(rounded(sets[label])), flush=True)
    RESULT.write_text(json.dumps(rounded({"sets": sets}), indent=1) + "\n")
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
