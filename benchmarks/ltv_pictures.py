"""The pictures of docs/ltv.md: one backtest of The Complete Journey, drawn as the pipeline does.

Run `python -m benchmarks.ltv_pictures`; it fits the first 39 weeks, forecasts the 13 that follow
and writes `docs/pictures/ltv_*.png`. Figures beside other models are `peers.py`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.peer_data import load
from dagster_project import pictures, pictures_backtests
from models_py.lifetime_value import LifetimeValue, evaluate, group_purchases, group_spend
from models_py.lifetime_value import backtest as bt

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"


def main() -> None:
    """Fit, forecast, draw."""
    data = load("complete_journey", None)
    batch, horizon = data.batch(), data.horizon_days
    model = LifetimeValue((horizon,), random_state=1)
    model.fit(group_purchases(batch), group_spend(batch))
    rows = evaluate(model, batch, data.outcomes(data.cut, horizon), data.cut)
    ahead = data.window(data.cut, data.end)
    ahead = ahead[ahead["customer_id"].isin(batch["customer_id"])]
    days = (ahead["date"] - pd.Timestamp(data.cut)).dt.days.to_numpy()
    tracking = bt.weekly_tracking(model, batch, days, data.cut, horizon // 7)
    drawn = {
        "posterior": pictures.posterior_png(model.parameters_frame()),
        "tracking": pictures_backtests.tracking_png(tracking),
        "deciles": pictures_backtests.deciles_png(rows, horizon),
        "pit": pictures.pit_png(pictures_backtests.pit_slices(rows)),
        "churn": pictures_backtests.reliability_png(rows, horizon),
        "frequency_recency": pictures_backtests.frequency_recency_png(rows),
    }
    for name, png in drawn.items():
        (FOLDER / f"ltv_{name}.png").write_bytes(png)
        print(f"docs/pictures/ltv_{name}.png {len(png) // 1024} kB")


if __name__ == "__main__":
    main()
