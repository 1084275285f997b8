"""The table of docs/ltv.md beside pymc-marketing, from `benchmarks/results/peers.json`.

Run `python -m benchmarks.peer_table` and lay its lines in place of those of the page. Measuring is
`peers.py`; nothing is computed here.
"""

from __future__ import annotations

import json

from benchmarks.peers import RESULT, SELECTED

TITLES = {
    "cdnow": "CDNOW", "online_retail": "UCI Online Retail",
    "complete_journey": "The Complete Journey", "adventureworks": "AdventureWorks",
    "retailer": "retailer (simulated)",
}  # fmt: skip
BASELINES = ("all_zero", "naive_rate", "nbd", "gradient_boosting")
COLUMNS = {
    "total bias": ("orders_bias", "+.1%"),
    "correlation": ("orders_correlation", ".3f"),
    "RMSE": ("orders_rmse", ".3f"),
    "MAE": ("orders_mae", ".3f"),
    "CRPS": ("orders_crps", ".3f"),
    "weekly MAPE": ("orders_tracking_mape", ".1%"),
}
HEADER = (
    "set",
    "model",
    *COLUMNS,
    "PIT distance, x > 0",
    "CRPS gain, orders",
    "CRPS gain, revenue",
)


def rows_of(name: str, found: dict) -> list[list[str]]:
    """Cells of one set: ours, the peers', and the baselines."""
    measures = found["measures"]
    models = [key.split(" | ")[0] for key in measures if key.endswith(" | all")]
    ours = [model for model in models if model.startswith("clientela") and model != SELECTED]
    theirs = [model for model in models if model.startswith("pymc-marketing")]
    gain = {
        (row["theirs"], row["quantity"]): f"{row['crps_gain']:.3g} ({row['low']:.3g} to "
        f"{row['high']:.3g})"
        for row in found["crps_differences"]
        if row["ours"] == ours[0]
    }
    rows = []
    for model in [*ours, SELECTED, *theirs, *(b for b in BASELINES if b in models)]:
        values = measures.get(f"{model} | all")
        if values is None:
            continue
        shown = [f"{values[key]:{form}}" if key in values else "" for key, form in COLUMNS.values()]
        distance = measures.get(f"{model} | repeat_buyers", {}).get("orders_pit_distance")
        title = model.replace("_nbd", "").replace("_", " ")
        if model == SELECTED:
            title = f"{title} ({found['selected'].split()[1].removesuffix('_nbd')})"
        rows.append([
            TITLES[name], title, *shown, "" if distance is None else f"{distance:.3f}",
            gain.get((model, "orders"), ""), gain.get((model, "revenue"), ""),
        ])  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    result = json.loads(RESULT.read_text())
    print("| " + " | ".join(HEADER) + " |")
    print("|---" * len(HEADER) + "|")
    for name in TITLES:
        for row in rows_of(name, result[name]) if name in result else []:
            print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
