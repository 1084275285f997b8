"""The frames at both ends of a prediction: customer features in, `predictions.customer_ltv` out.

Add here a column when the result table gets one.
What is simulated belongs in `predictive`; who calls this is `value`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.frames import LTV_FEATURES, require_columns, require_complete, to_float
from models_py.lifetime_value.predictive import Futures, Histories
from models_py.lifetime_value.purchases import DAYS_PER_WEEK
from models_py.lifetime_value.seasonality import OperationalClock

_TABLE = "fct_customer_features"
_SUFFIXES = ("mean", *posterior.QUANTILES)

LTV_COLUMNS: tuple[str, ...] = (
    "customer_id",
    "as_of_date",
    "horizon_days",
    "observed_revenue_amount",
    "observed_margin_amount",
    *(f"predicted_orders_{suffix}" for suffix in _SUFFIXES),
    *(f"predicted_revenue_{suffix}" for suffix in _SUFFIXES),
    *(f"predicted_margin_{suffix}" for suffix in _SUFFIXES),
    *(f"predicted_present_value_{suffix}" for suffix in _SUFFIXES),
    "purchase_probability",
    "alive_probability",
    "expected_next_order_date",
    *(f"expected_order_value_{suffix}" for suffix in _SUFFIXES),
    "interval_status",
)
"""`predictions.customer_ltv` without model_version_id, which the caller knows."""


@dataclass(frozen=True)
class Totals:
    """Draws of sums over customers; add the totals of batches to get those of the whole.

    Attributes
    ----------
    revenue, orders : ndarray (draw, horizon)
    customers_count : int
    margin : ndarray (draw, horizon), optional
        None where costs are unknown.
    """

    revenue: np.ndarray
    orders: np.ndarray
    customers_count: int
    margin: np.ndarray | None = None

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.revenue + other.revenue,
            self.orders + other.orders,
            self.customers_count + other.customers_count,
            None if self.margin is None or other.margin is None else self.margin + other.margin,
        )


def sum_customers(futures: Futures) -> Totals:
    """Sum the simulated draws over customers."""
    return Totals(
        futures.revenue.sum(axis=0).T,
        futures.orders.sum(axis=0).T,
        len(futures.orders),
        None if futures.margin is None else futures.margin.sum(axis=0).T,
    )


def read_batch(
    batch: pd.DataFrame,
    as_of_date: dt.date,
    pool_by: str | None = None,
    clock: OperationalClock | None = None,
) -> Histories:
    """Check a batch of `frames.LTV_FEATURES` and turn it into arrays, days into weeks.

    `pool_by` is the column that names the group whose parameters are the customer's own; with a
    `clock` times are in operational weeks.

    Raises
    ------
    ValueError
        For missing columns, customers without a purchase, repeated customers, histories that
        contradict themselves, or rows of another as-of date.
    """
    pooled = [] if pool_by is None else [pool_by]
    require_columns(batch, [*LTV_FEATURES, *pooled], _TABLE)
    needed = [name for name in LTV_FEATURES if name != "observed_revenue_amount"]
    remedy = "Leave prospects out: select rows with purchase_days_count >= 1."
    if "as_of_date" in batch:
        others = pd.to_datetime(batch["as_of_date"]) != pd.Timestamp(as_of_date)
        if others.any():
            raise ValueError(
                f"{_TABLE}.as_of_date differs from {as_of_date} in {int(others.sum())} rows. "
                "Select the slice of that date."
            )
    require_complete(batch, needed, _TABLE, remedy)
    numbers = {name: to_float(batch[name], _TABLE) for name in needed if name != "customer_id"}
    x, t_x, tenure = (
        numbers[name] for name in ("repeat_purchase_days_count", "active_span_days", "tenure_days")
    )
    first, repeat = numbers["first_purchase_amount"], numbers["repeat_purchase_amount"]
    customer_id = batch["customer_id"].astype(str).to_numpy(dtype=object)
    wrong = (x < 0) | (t_x < 0) | (t_x > tenure) | (first <= 0) | ((x > 0) & (repeat <= 0))
    wrong |= ((x == 0) & (t_x > 0)) | ~np.isfinite([x, t_x, tenure, first, repeat]).all(axis=0)
    if wrong.any():
        raise ValueError(
            f"{_TABLE}: {int(wrong.sum())} rows (for example {customer_id[wrong][0]}) have a "
            "negative count or time, a span above the tenure or without a repeat purchase, an "
            "amount that is not positive where a purchase is counted, or an infinite number. "
            f"{remedy}"
        )
    if len(np.unique(customer_id.astype(str))) < len(customer_id):
        raise ValueError(f"{_TABLE}.customer_id repeats. Pass one row per customer.")
    if clock is not None:
        t_x, tenure = clock.histories(as_of_date, t_x, tenure)
    repeat = np.where(x > 0, repeat, 0.0)
    margin = np.full(len(x), np.nan)
    if "observed_margin_amount" in batch:
        margin = to_float(batch["observed_margin_amount"], _TABLE)
    return Histories(
        customer_id,
        x,
        t_x / DAYS_PER_WEEK,
        tenure / DAYS_PER_WEEK,
        first,
        repeat,
        to_float(batch["observed_revenue_amount"], _TABLE),
        margin,
        None if pool_by is None else (f"{pool_by}=" + batch[pool_by].astype(str)).to_numpy(),
    )


def summarise(futures: Futures) -> dict[str, np.ndarray]:
    """Means and quantiles per customer and horizon (customer, horizon), or per customer."""
    summary = {
        "predicted_orders_mean": futures.orders_mean,
        **posterior.quantiles(futures.orders, "predicted_orders", axis=2),
        "predicted_revenue_mean": futures.revenue_mean,
        **posterior.quantiles(futures.revenue, "predicted_revenue", axis=2),
        "predicted_present_value_mean": futures.present_value_mean,
        **posterior.quantiles(futures.present_value, "predicted_present_value", axis=2),
        "purchase_probability": futures.purchase_probability,
        "alive_probability": futures.alive_probability,
        "waiting_days": futures.waiting_days,
        "expected_order_value_mean": futures.order_value_mean,
        **posterior.quantiles(futures.order_value, "expected_order_value", axis=1),
    }
    if futures.margin is not None and futures.margin_mean is not None:
        summary["predicted_margin_mean"] = futures.margin_mean
        summary |= posterior.quantiles(futures.margin, "predicted_margin", axis=2)
    horizons = futures.orders.shape[1]
    return {
        name: values if values.ndim == 2 else np.repeat(values[:, None], horizons, axis=1)
        for name, values in summary.items()
    }


def to_table(
    batch: pd.DataFrame,
    as_of_date: dt.date,
    horizons_days: np.ndarray,
    summary: dict[str, np.ndarray],
    interval_status: str,
) -> pd.DataFrame:
    """Lay what `summarise` found out as `LTV_COLUMNS`, customers in the order of the batch.

    ``expected_next_order_date`` is the as-of date plus the median waiting time of a customer who
    is still there; NULL when the customer is more likely gone than not, or when that day lies
    beyond the longest horizon. ``predicted_margin_*`` is NULL where no margin model is fitted.
    ``observed_*`` are the batch's own values, decimals included.
    """
    horizons = len(horizons_days)
    picked = np.repeat(np.arange(len(batch)), horizons)
    source = batch.reset_index(drop=True)
    columns: dict[str, object] = {name: values.reshape(-1) for name, values in summary.items()}
    waiting = np.asarray(columns["waiting_days"])
    is_dated = (waiting <= horizons_days[-1]) & (np.asarray(columns["alive_probability"]) >= 0.5)
    days = pd.Series(np.where(is_dated, np.ceil(waiting), np.nan))
    start = pd.Timestamp(as_of_date).as_unit("us")
    columns |= {
        "customer_id": source["customer_id"].take(picked).reset_index(drop=True),
        "as_of_date": pd.Series([start] * len(picked), dtype="datetime64[us]"),
        "horizon_days": np.tile(np.asarray(horizons_days, dtype="int64"), len(batch)),
        "expected_next_order_date": (start + pd.to_timedelta(days, unit="D")).astype(
            "datetime64[us]"
        ),
        "interval_status": pd.Series([interval_status] * len(picked), dtype="str"),
    }
    for name in ("observed_revenue_amount", "observed_margin_amount"):
        if name in source:
            columns[name] = source[name].take(picked).reset_index(drop=True)
    empty = pd.Series(np.nan, index=range(len(picked)))
    return pd.DataFrame({name: columns.get(name, empty) for name in LTV_COLUMNS})
