"""Hidden segments found, groups stable, keys kept: on known truth, the shop chain, real data.

Run `python -m benchmarks.segments --homes retailer=FOLDER complete_journey=FOLDER`: each FOLDER is
the CLIENTELA_HOME of a finished run, with `work.duckdb` and, for the simulated retailer, `truth/`
(`clientela simulate`). Without homes only planted worlds are measured. It prints and writes
`benchmarks/results/segments.json`. Seconds and memory at scale are in segments_scale.py.

Planted: layers are mixtures of normal groups, so the Bayes rule (the most probable group under the
true densities) is exact, and so is its adjusted Rand index against the truth. What of the hidden
segments of the retailer can be found is told in `segments_recovery.py`.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from benchmarks.segments_recovery import hidden_segments, measure_recovery
from models_py.segmentation import Microsegmentation
from models_py.segmentation.alignment import CLEAR_MARGIN

RESULT = Path(__file__).parent / "results" / "segments.json"
FRAME = """
    select features.*, lifecycle.stage, value.purchase_probability, value.predicted_revenue_mean
    from marts.fct_customer_features as features
    join predictions.customer_lifecycle as lifecycle using (customer_id, as_of_date)
    left join predictions.customer_ltv as value
        on value.customer_id = features.customer_id and value.as_of_date = features.as_of_date
        and value.horizon_days = 90
    where features.as_of_date = (select max(as_of_date) from predictions.customer_lifecycle)
    order by features.customer_id
"""
# One row per world: distance of neighbouring group means in standard deviations.
PLANTED = {"far": 5.0, "middle": 3.5, "near": 2.5}


def planted(separation: float, customers: int, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A stage with three groups by value, two by behaviour and none by product.

    Returns the frame and, by layer, (true group, group under the Bayes rule).
    """
    rng = np.random.default_rng(seed)
    frame: dict[str, Any] = {
        "customer_id": [f"c{number:07d}" for number in range(customers)],
        "stage": "active",
    }
    truth: dict[str, Any] = {}
    for layer, weights in (
        ("value", (0.5, 0.3, 0.2)),
        ("behaviour", (0.6, 0.4)),
        ("product", (1,)),
    ):
        group = rng.choice(len(weights), customers, p=np.array(weights) / sum(weights))
        angles = 2 * np.pi * np.arange(len(weights)) / max(len(weights), 2)
        radius = separation / (2 * np.sin(np.pi / max(len(weights), 2)))
        centres = radius * np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])
        values = centres[group] * (len(weights) > 1) + rng.normal(size=(customers, 3))
        apart = ((values[:, None, :] - centres) ** 2).sum(axis=2)
        truth[layer] = (group, (np.log(weights) - apart / 2).argmax(axis=1))
        for column in range(3):
            frame[f"{layer}_{column}_share"] = values[:, column]
    return pd.DataFrame(frame), truth


def measure_planted(customers: int, seeds: int) -> list[dict[str, Any]]:
    """Adjusted Rand of every layer beside that of the Bayes rule."""
    rows = []
    layers = {
        name: tuple(f"{name}_{column}_share" for column in range(3))
        for name in ("value", "behaviour", "product")
    }
    for world, separation in PLANTED.items():
        for seed in range(seeds):
            frame, truth = planted(separation, customers, seed)
            model = Microsegmentation(layers, floor=30, random_state=seed).fit(frame)
            assigned = model.predict(frame)
            for layer, (group, bayes) in truth.items():
                found = assigned.loc[assigned["layer"] == layer, "cluster_key"]
                best = adjusted_rand_score(group, bayes) if group.max() else None
                fitted = model.models_["active", layer]
                row = {
                    "world": world,
                    "seed": seed,
                    "layer": layer,
                    "clusters": len(fitted.keys),
                    "worst_jaccard": fitted.worst_jaccard if fitted.has_structure else None,
                    "adjusted_rand": adjusted_rand_score(group, found) if group.max() else None,
                    "bayes_adjusted_rand": best,
                }
                row["share_of_bayes"] = row["adjusted_rand"] / best if best else None
                rows.append(row)
    return rows


def measure_home(name: str, home: Path, resamples: int) -> dict[str, Any]:
    """Quality, recovery (where truth is there) and key retention of one finished run."""
    from dagster_project.config import load_config
    from dagster_project.segment_layers import layer_specs

    os.environ.setdefault("CLIENTELA_DATASET", "complete_journey")
    config = load_config()
    with duckdb.connect(str(home / "work.duckdb"), read_only=True) as connection:
        frame = connection.execute(FRAME).df()
        segments = hidden_segments(connection, home) if (home / "truth").exists() else None
    model = Microsegmentation(
        layer_specs(config),
        max_clusters=config.segmentation.max_clusters,
        stability_floor=config.segmentation.stability_floor,
        floor=config.segmentation.floor_customers,
        random_state=config.segmentation.random_state,
    ).fit(frame)
    assigned = model.predict(frame)
    quality = model.quality(assigned)
    found = quality[quality["worst_jaccard"].notna() & (quality["layer"] != "microsegment")]
    result: dict[str, Any] = {
        "customers": len(frame),
        "layers_with_structure": len(found),
        "worst_jaccard_of_all": float(found["worst_jaccard"].min()) if len(found) else None,
        "fallback_share": float(model.microsegments(assigned)["fallback_level"].gt(0).mean()),
        "quality": _rows(quality),
        "keys": measure_keys(model, frame, resamples),
    }
    if segments is not None:
        result["recovery"] = measure_recovery(model, frame, assigned, segments)
    print(f"{name}: worst Jaccard {result['worst_jaccard_of_all']}, keys {result['keys']}")
    return result


def measure_keys(model: Microsegmentation, frame: pd.DataFrame, resamples: int) -> list[Any]:
    """Share of customers whose joint key a refit on a bootstrap resample keeps.

    The resample is drawn with replacement, copies getting ids of their own; both fits then assign
    the customers as they are.
    """
    assigned = model.predict(frame)
    before = model.microsegments(assigned)
    in_pattern = {(s, layer) for s in model.orders_ for layer in model.pattern_layers(s)}
    pairs = pd.Series(list(zip(assigned["stage"], assigned["layer"], strict=True)))
    low = (assigned["assignment_margin"] < CLEAR_MARGIN) & pairs.isin(in_pattern).to_numpy()
    unclear = low.groupby(assigned["customer_id"]).any().sort_index().to_numpy()
    rows = []
    for draw in range(resamples):
        rng = np.random.default_rng(draw)
        drawn = frame.iloc[rng.integers(0, len(frame), len(frame))].copy()
        drawn["customer_id"] = [f"r{number:08d}" for number in range(len(drawn))]
        again = Microsegmentation(
            model.layers,
            max_clusters=model.max_clusters,
            stability_floor=model.stability_floor,
            floor=model.floor,
            random_state=1_000 + draw,
        ).fit(drawn, model)
        after = again.microsegments(again.predict(frame))
        kept = before["microsegment_key"].to_numpy() == after["microsegment_key"].to_numpy()
        rows.append(
            {
                "resample": draw,
                "kept_share": float(kept[~unclear].mean()),
                "kept_share_of_all": float(kept.mean()),
                "left_out_share": float(unclear.mean()),
            }
        )
    return rows


def _rows(table: pd.DataFrame) -> list[Any]:
    return json.loads(table.round(4).to_json(orient="records"))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--homes", nargs="*", default=[], help="name=folder of finished runs")
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=5)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"planted": measure_planted(arguments.customers, arguments.seeds)}
    table = pd.DataFrame(result["planted"])
    print(table.round(3).to_string(index=False))
    for home in arguments.homes:
        name, _, folder = home.partition("=")
        result[name] = measure_home(name, Path(folder), arguments.resamples)
        if "recovery" in result[name]:
            print(pd.DataFrame(result[name]["recovery"]).to_string(index=False))
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
