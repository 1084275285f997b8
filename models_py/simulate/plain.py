"""Customers who follow the purchase and spend models' own assumptions, with known truth.

Add here what a recovery or coverage test needs of an ideal shop.
A shop that breaks the assumptions lives in ``retailer``; fitting lives in ``lifetime_value``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Family = Literal["mbg_nbd", "bg_nbd"]
DAYS_PER_WEEK = 7.0


@dataclass(frozen=True)
class PlainParameters:
    """Population parameters: purchases per week, dropout and spend per order.

    Attributes
    ----------
    r, alpha : float
        Purchase rate per week ~ Gamma(shape r, rate alpha).
    a, b : float
        Dropout probability ~ Beta(a, b).
    p, q, v : float
        Spend of an order ~ Gamma(p, rate nu) with nu ~ Gamma(q, rate v); mean p v / (q - 1).
    kappa : float
        Factor on the first order's spend.
    """

    r: float
    alpha: float
    a: float
    b: float
    p: float = 6.25
    q: float = 3.74
    v: float = 15.44
    kappa: float = 1.0


@dataclass(frozen=True)
class PlainTruth:
    """What the models never see, in the row order of the customers' frame.

    Attributes
    ----------
    parameters : PlainParameters
    purchase_rate : ndarray (customer,)
        Purchases per week while alive.
    dropout_probability, spend_rate : ndarray (customer,)
        Chance to leave after a purchase; rate nu of the spend gamma.
    is_alive : ndarray of bool (customer,)
        Not yet dropped out at the end of observation.
    """

    parameters: PlainParameters
    purchase_rate: np.ndarray
    dropout_probability: np.ndarray
    spend_rate: np.ndarray
    is_alive: np.ndarray


def simulate_purchases(
    parameters: PlainParameters,
    customers: int,
    observation_days: float,
    random_state: int | np.random.Generator,
    family: Family = "mbg_nbd",
    *,
    horizons_days: Sequence[int] = (30, 90, 180, 365),
    acquisition_days: float | None = None,
    whole_days: bool = False,
) -> tuple[pd.DataFrame, PlainTruth]:
    """Simulate customers up to the end of observation and over future horizons.

    A customer first buys at a uniform time within ``acquisition_days`` (0 makes one cohort), then
    at exponential intervals with a rate lambda ~ Gamma(r, alpha) per week. After a purchase the
    customer leaves for good with probability p ~ Beta(a, b): after every purchase including the
    first (MBG/NBD), or after repeat purchases only (BG/NBD). Each order's spend is drawn from a
    gamma of the customer's own rate; the first is multiplied by kappa.

    Parameters
    ----------
    parameters : PlainParameters
    customers : int
    observation_days : float
        Length of the observed window in days.
    random_state : int or Generator
    family : {"mbg_nbd", "bg_nbd"}
    horizons_days : sequence of int
        Future horizons counted from the end of observation, in days.
    acquisition_days : float, optional
        First purchases fall into this first part of the window; default the whole window.
    whole_days : bool
        Round elapsed times to the nearest day and merge purchases of one day, as a shop's daily
        tables do; otherwise time is continuous.

    Returns
    -------
    frame : DataFrame, one row per customer
        customer_id, tenure_days, active_span_days, repeat_purchase_days_count,
        first_purchase_amount, repeat_purchase_amount, purchase_log_amount_sum,
        first_purchase_log_amount; per horizon h: realised_orders_{h}d_count and
        realised_revenue_{h}d_amount.
    truth : PlainTruth

    Raises
    ------
    ValueError
        For an unknown family or a first purchase later than the end of observation.

    References
    ----------
    Fader, Hardie, Lee (2005), BG/NBD; Batislam, Denizel, Filiztekin (2007), MBG/NBD;
    Fader, Hardie (2013), gamma-gamma.
    """
    if family not in ("mbg_nbd", "bg_nbd"):
        raise ValueError(f"family must be 'mbg_nbd' or 'bg_nbd', not {family!r}")
    acquisition = observation_days if acquisition_days is None else acquisition_days
    if not 0 <= acquisition <= observation_days:
        raise ValueError("acquisition_days must lie between 0 and observation_days")
    rng = np.random.default_rng(random_state)
    rate = rng.gamma(parameters.r, 1 / parameters.alpha, customers)
    dropout = rng.beta(parameters.a, parameters.b, customers)
    spend_rate = rng.gamma(parameters.q, 1 / parameters.v, customers)
    tenure = observation_days - rng.uniform(0, acquisition, customers)
    leaves_at_first = rng.random(customers) < dropout
    leaves_at_first &= family == "mbg_nbd"
    horizon_end = tenure + max(horizons_days, default=0)
    owner, elapsed, left_at = repeat_purchases(rate, dropout, leaves_at_first, horizon_end, rng)

    purchase = pd.DataFrame(
        {
            "customer": np.concatenate([np.arange(customers), owner]),
            "elapsed_days": np.concatenate([np.zeros(customers), elapsed]),
        }
    )
    purchase["amount"] = rng.gamma(parameters.p, 1 / spend_rate[purchase["customer"]])
    purchase.loc[: customers - 1, "amount"] *= parameters.kappa
    if whole_days:
        tenure = np.rint(tenure)
        purchase["elapsed_days"] = np.rint(purchase["elapsed_days"])
        purchase = purchase.groupby(["customer", "elapsed_days"], as_index=False).sum()
    frame = _customer_frame(purchase, tenure, horizons_days)
    truth = PlainTruth(parameters, rate, dropout, spend_rate, left_at > tenure)
    return frame, truth


def repeat_purchases(
    rate: np.ndarray,
    dropout: np.ndarray,
    leaves_at_first: np.ndarray,
    end_days: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Owners and elapsed days of repeat purchases, and when each customer left (inf: not yet).

    One vectorised round per purchase number, over the customers still buying.
    """
    left_at = np.where(leaves_at_first, 0.0, np.inf)
    active = np.flatnonzero(~leaves_at_first)
    clock = np.zeros(len(active))
    owners: list[np.ndarray] = []
    times: list[np.ndarray] = []
    while len(active):
        # A rate that underflows to zero never buys again: an infinite gap, not a division error.
        gap = rng.exponential(DAYS_PER_WEEK, len(active)) / np.maximum(rate[active], 1e-300)
        clock = clock + gap
        buys = clock <= end_days[active]
        active, clock = active[buys], clock[buys]
        owners.append(active)
        times.append(clock)
        leaves = rng.random(len(active)) < dropout[active]
        left_at[active[leaves]] = clock[leaves]
        active, clock = active[~leaves], clock[~leaves]
    empty = [np.zeros(0)]
    return np.concatenate(owners or empty).astype(int), np.concatenate(times or empty), left_at


def _customer_frame(
    purchase: pd.DataFrame, tenure: np.ndarray, horizons_days: Sequence[int]
) -> pd.DataFrame:
    """Purchases to one row per customer: sufficient statistics and realised futures."""
    count = len(tenure)
    owner = purchase["customer"].to_numpy()
    elapsed = purchase["elapsed_days"].to_numpy()
    amount = purchase["amount"].to_numpy()
    log_amount = np.log(amount)
    is_seen = elapsed <= tenure[owner]
    is_first = elapsed == 0
    is_repeat = is_seen & ~is_first

    def total(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.bincount(owner[mask], weights=values[mask], minlength=count)

    span = np.zeros(count)
    np.maximum.at(span, owner[is_repeat], elapsed[is_repeat])
    columns: dict[str, np.ndarray | pd.Series] = {
        "customer_id": pd.Series(np.arange(count)).astype(str).str.zfill(8).radd("s_"),
        "tenure_days": tenure,
        "active_span_days": span,
        "repeat_purchase_days_count": np.bincount(owner[is_repeat], minlength=count),
        "first_purchase_amount": total(is_first, amount),
        "repeat_purchase_amount": total(is_repeat, amount),
        "purchase_log_amount_sum": total(is_seen, log_amount),
        "first_purchase_log_amount": total(is_first, log_amount),
    }
    for horizon in horizons_days:
        is_future = ~is_seen & (elapsed <= tenure[owner] + horizon)
        columns[f"realised_orders_{horizon}d_count"] = np.bincount(
            owner[is_future], minlength=count
        )
        columns[f"realised_revenue_{horizon}d_amount"] = total(is_future, amount)
    return pd.DataFrame(columns)
