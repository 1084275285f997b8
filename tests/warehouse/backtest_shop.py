"""A small shop in a warehouse made by hand: purchase days, features at month-ends, refunds.

Add here what tests of backtests share. What they ask of it is in test_backtest_run.py,
test_backtest_verdict.py and test_backtest_refunds.py.
"""

import datetime as dt

import numpy as np
import pandas as pd

START = dt.date(2023, 1, 1)
ORIGINS = [
    dt.date(2023, 12, 31), dt.date(2024, 1, 31), dt.date(2024, 2, 29),
    dt.date(2024, 3, 31), dt.date(2024, 4, 30),
]  # fmt: skip
TODAY = dt.date(2024, 5, 31)
HORIZONS = (30, 90, 180)


def purchases(customers: int = 600, seed: int = 8) -> pd.DataFrame:
    """Purchase days of customers who buy at a rate of their own and leave after any of them."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(customers):
        rate, leaving, level = rng.gamma(0.9, 1 / 25), rng.beta(0.8, 3.0), rng.gamma(4, 10)
        day = rng.uniform(0, 330)
        while day < 540:
            rows.append((f"c{number:04}", int(day), round(level * rng.gamma(3, 1 / 3), 2) + 0.01))
            if rng.random() < leaving:
                break
            day += rng.exponential(1 / rate) + 1
    table = pd.DataFrame(rows, columns=["customer_id", "day", "revenue_amount"])
    table["purchase_date"] = pd.to_datetime(START) + pd.to_timedelta(table["day"], unit="D")
    table = table.groupby(["customer_id", "purchase_date"], as_index=False)["revenue_amount"].sum()
    return table.assign(event_date=table["purchase_date"])


def features(days: pd.DataFrame, as_of: dt.date) -> pd.DataFrame:
    seen = days[days["purchase_date"] <= pd.Timestamp(as_of)].assign(
        log=np.log(days["revenue_amount"])
    )
    by = seen.groupby("customer_id")
    first, last = by["purchase_date"].min(), by["purchase_date"].max()
    total, amount = by["revenue_amount"].sum(), by["revenue_amount"].first()
    return pd.DataFrame(
        {
            "as_of_date": pd.Timestamp(as_of),
            "purchase_days_count": by.size(),
            "repeat_purchase_days_count": by.size() - 1,
            "active_span_days": (last - first).dt.days,
            "tenure_days": (pd.Timestamp(as_of) - first).dt.days,
            "first_purchase_amount": amount,
            "repeat_purchase_amount": (total - amount).round(2),
            "first_purchase_log_amount": by["log"].first(),
            "purchase_log_amount_sum": by["log"].sum(),
            "observed_revenue_amount": total,
            "observed_margin_amount": np.nan,
            "acquisition_channel": "web",
            "refunds_count": pd.array([pd.NA] * len(total), dtype="Int64"),
        }
    ).reset_index()


def orders_of(days: pd.DataFrame) -> pd.DataFrame:
    """The ledger of a shop where nothing comes back."""
    dates = {name: days[name].dt.date for name in ("purchase_date", "event_date")}
    return days.assign(event_type="order", **dates)


def fill(warehouse, ledger: pd.DataFrame, slices: list[pd.DataFrame]) -> None:
    """Write marts.fct_revenue_ledger and marts.fct_customer_features."""
    joined = pd.concat(slices)
    joined["as_of_date"] = joined["as_of_date"].dt.date
    connection = warehouse.connection
    connection.execute("create schema if not exists marts")
    for name, frame in (("fct_revenue_ledger", ledger), ("fct_customer_features", joined)):
        connection.register("given", frame)
        connection.execute(f"create table marts.{name} as select * from given")
        connection.unregister("given")
