"""The share of revenue that is margin: of the base, of each customer, with its uncertainty.

Add here what stands between revenue and margin.
Refunds are in `refunds`, how much is spent in `spend`; which costs are known is the ledger's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from models_py.frames import MARGIN_GROUPS, require_columns, require_complete, to_float
from models_py.lifetime_value.customer_keys import keyed_generator
from models_py.lifetime_value.predictive import Futures, Histories

PARAMETERS = ("margin_rate", "margin_customer_sd", "margin_order_sd")
_MARGIN_STREAM = 3
_MARGIN_STEP = 1024.0  # as revenue in `predictive`, so that sums of draws are exact


def fit(
    groups: pd.DataFrame, draws_count: int, random_state: int
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draw the margin rate of the base, and how far customers and orders lie from it.

    Order j of customer i has revenue R_ij and margin M_ij = (mu + b_i) R_ij + e_ij, with
    b_i ~ (0, tau^2) and e_ij ~ (0, sigma^2 R_ij): an order of twice the money is 1.4 times as far
    from its expectation. sigma is measured within customers. mu weighs customers by
    1 / (tau^2 + sigma^2 / R_i), so that a wholesaler counts as one customer, not as his revenue;
    tau is such that customers lie as far from mu as it says (Paule-Mandel). The variance of mu is
    measured from customers' distances, at least what the model says.

    Parameters
    ----------
    groups : DataFrame
        Columns of `frames.MARGIN_GROUPS`, over customers whose every order has a known cost.
    draws_count, random_state : int

    Returns
    -------
    (DataFrame, dict)
        Draws of ``margin_rate`` (share of revenue), ``margin_customer_sd`` (tau, of the rate),
        ``margin_order_sd`` (sigma, in square roots of money); diagnostics ``margin_rate``,
        ``margin_rate_sd`` and ``margin_customers_count``.

    Raises
    ------
    ValueError
        For missing columns, NULL, or fewer than two orders with revenue.

    References
    ----------
    DerSimonian & Kacker (2007), "Random-effects model for meta-analysis", Contemporary Clinical
    Trials 28, for tau; a group stands for its customers at their mean revenue.
    """
    from scipy.optimize import brentq

    table = "margin groups"
    require_columns(groups, MARGIN_GROUPS, table)
    require_complete(groups, MARGIN_GROUPS, table, "Sum orders whose cost is known.")
    customers, orders, revenue, rates, squares, between, within = (
        to_float(groups[name], table) for name in MARGIN_GROUPS
    )
    count, orders_count = customers.sum(), orders.sum()
    if orders_count < 2 or (revenue <= 0).any() or (customers < 1).any():
        raise ValueError(
            f"{table}: {orders_count:.0f} orders, {int((revenue <= 0).sum())} groups without "
            "revenue: that says nothing of how margins vary. Fit on a later date, or leave the "
            "margin out."
        )
    typical = revenue / customers
    if orders_count > count:
        order_variance = max(np.sum(within - between), 0.0) / (orders_count - count)
    else:  # one order each: all that differs is order by order
        order_variance = max(np.sum(within) - _ratio(rates, customers, typical), 0.0) / (count - 1)
    noise = order_variance / typical + 1e-12

    def at(tau_squared: float) -> tuple[float, float, np.ndarray]:
        """Excess of the weighted distances over their expectation, mu and weights (group,)."""
        weight = 1.0 / (tau_squared + noise)
        mean = float(np.sum(weight * rates) / np.sum(weight * customers))
        apart = squares - 2.0 * mean * rates + customers * mean**2
        return float(np.sum(weight * apart) - (count - 1.0)), mean, weight

    tau_squared = 0.0
    if count > 1 and at(0.0)[0] > 0:
        highest = 1.0
        while at(highest)[0] > 0:
            highest *= 4.0
        tau_squared = brentq(lambda value: at(value)[0], 0.0, highest)
    _, mean, weight = at(tau_squared)
    apart = np.maximum(squares - 2.0 * mean * rates + customers * mean**2, 0.0)
    total = np.sum(weight * customers)
    variance = max(1.0 / total, float(np.sum(weight**2 * apart)) / total**2)
    random = np.random.default_rng(random_state)
    # Few customers know their spread as badly as their mean: t, not normal.
    luck = random.standard_t(count + 3.0, draws_count)
    draws = pd.DataFrame(
        {
            "margin_rate": mean + np.sqrt(variance) * luck,
            "margin_customer_sd": np.sqrt(tau_squared),
            "margin_order_sd": np.sqrt(order_variance),
        }
    ).rename_axis(index="draw")
    return draws, {
        "margin_rate": mean,
        "margin_rate_sd": float(np.sqrt(variance)),
        "margin_customers_count": float(count),
    }


def _ratio(rates: np.ndarray, customers: np.ndarray, typical: np.ndarray) -> float:
    """Sum of squares that one rate for all orders explains."""
    return float(np.sum(rates * typical) ** 2 / np.sum(customers * typical))


def group_margins(orders: pd.DataFrame) -> pd.DataFrame:
    """Sum orders into `frames.MARGIN_GROUPS`, customers by ``floor(4 * ln(revenue))``.

    The warehouse does the same in SQL.

    Parameters
    ----------
    orders : DataFrame
        customer_id, revenue_amount (above 0), margin_amount, one row per order of known cost.
    """
    revenue = to_float(orders["revenue_amount"], "orders")
    margin = to_float(orders["margin_amount"], "orders")
    if not ((revenue > 0) & np.isfinite(margin)).all():
        raise ValueError(
            "orders: a revenue_amount is not positive or a margin_amount is NULL. Pass orders of "
            "known cost that brought money."
        )
    columns = {"key": orders["customer_id"], "R": revenue, "M": margin}
    rows = pd.DataFrame(columns | {"orders_count": 1, "square": margin**2 / revenue})
    each = rows.groupby("key").sum()
    grouped = pd.DataFrame(
        {
            "bin": np.floor(4 * np.log(each["R"])),
            "customers_count": 1,
            "orders_count": each["orders_count"],
            "revenue_sum": each["R"],
            "margin_rate_sum": each["M"] / each["R"],
            "margin_rate_squared_sum": (each["M"] / each["R"]) ** 2,
            "margin_squared_per_revenue_sum": each["M"] ** 2 / each["R"],
            "order_margin_squared_per_revenue_sum": each["square"],
        }
    ).groupby("bin", sort=True)
    return grouped.sum().reset_index()[list(MARGIN_GROUPS)]


def shrunk_rates(
    draws: Mapping[str, np.ndarray], revenue: np.ndarray, margin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each customer's margin rate given the base: its mean and variance, (customer, draw).

    With weight w = tau^2 / (tau^2 + sigma^2 / R) the mean is w M / R + (1 - w) mu and the variance
    tau^2 (1 - w). A customer whose margin is unknown (NaN) or who left no revenue has w = 0.
    """
    tau, sigma = draws["margin_customer_sd"] ** 2, draws["margin_order_sd"] ** 2
    is_known = (revenue > 0) & np.isfinite(margin)
    safe = np.where(is_known, revenue, 1.0)[:, None]
    noise = sigma / safe + 1e-300
    weight = np.where(is_known[:, None], tau / (tau + noise), 0.0)
    own = np.where(is_known, np.nan_to_num(margin), 0.0)[:, None] / safe
    return weight * own + (1.0 - weight) * draws["margin_rate"], tau * (1.0 - weight)


def with_margin(
    futures: Futures, histories: Histories, draws: pd.DataFrame, random_state: int
) -> Futures:
    """The same futures with the margin of their revenue.

    Given revenue y the margin is normal with mean rate * y and variance (variance of the rate) y^2
    + sigma^2 y; the customer's own luck is the same at every horizon and keyed by the customer.

    Parameters
    ----------
    futures : Futures
    histories : Histories
        Of the same customers.
    draws : DataFrame
        With the columns `PARAMETERS`.
    random_state : int
    """
    if histories.net is None or histories.margin is None:
        raise ValueError("histories lack net revenue and margin to date. Read them with the batch.")
    value = {name: draws[name].to_numpy(dtype="float64") for name in PARAMETERS}
    mean, variance = shrunk_rates(value, histories.net, histories.margin)
    luck = np.empty(mean.shape)
    for row, key in zip(luck, histories.customer_id, strict=True):
        keyed_generator(key, random_state, _MARGIN_STREAM).standard_normal(out=row)
    revenue = futures.revenue  # (customer, horizon, draw)
    spread = np.sqrt(variance[:, None, :] * revenue**2 + value["margin_order_sd"] ** 2 * revenue)
    margin = mean[:, None, :] * revenue + luck[:, None, :] * spread
    return replace(
        futures,
        margin=np.rint(margin * _MARGIN_STEP) / _MARGIN_STEP,
        margin_mean=mean.mean(axis=1)[:, None] * futures.revenue_mean,
    )
