"""Are amounts where the spend model expects them: the PIT of every customer's last order.

Add here a measure of calibration that needs amounts only.
What changes the model itself is in `spend_check`; forecasts of customers are judged in `backtest`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models_py.frames import LAST_ORDER_GROUPS, require_columns, require_complete, to_float
from models_py.lifetime_value import spend

PIT_LEVEL = 0.9
PIT_TOLERANCE = 0.03
"""Amounts are calibrated when 87 to 93 % of last orders lie in their central 90 % interval."""
_DRAWS = 40


def last_order_pit(groups: pd.DataFrame, draws: pd.DataFrame) -> np.ndarray:
    """The probability of an amount below each customer's last order, given the orders before it.

    Given n earlier amounts with sum S, an amount z has z / (v + S + z) ~ Beta(p, q + p n), so the
    PIT is a beta probability, averaged over parameter draws. First orders are divided by kappa, or
    left out with the draws' missing ``kappa``; then one-time buyers have no PIT (NaN).

    Parameters
    ----------
    groups : DataFrame
        Columns of `frames.LAST_ORDER_GROUPS`.
    draws : DataFrame
        Columns p, q, v, if first orders count kappa, and ``level_from_<x>`` if there are any.

    Returns
    -------
    ndarray (group,)

    Raises
    ------
    ValueError
        For missing columns, NULL, or amounts that are not positive.

    References
    ----------
    Dawid (1984) for the PIT; the beta form follows from gamma amounts with a gamma-distributed
    rate (Fader, Hardie & Lee 2005, eq. 1).
    """
    from scipy.special import betainc

    table = "last orders"
    require_columns(groups, LAST_ORDER_GROUPS, table)
    require_complete(groups, LAST_ORDER_GROUPS, table, "Group customers with a purchase only.")
    x, customers, first, earlier, last = (
        to_float(groups[name], table)[:, None] for name in LAST_ORDER_GROUPS
    )
    wrong = (customers < 1) | (first <= 0) | (last <= 0) | ((x > 1) & (earlier <= 0))
    if wrong.any():
        raise ValueError(
            f"last orders: {int(wrong.sum())} rows have no customer or an amount that is not "
            "positive. A purchase day needs a net amount above 0."
        )
    first, earlier, last = first / customers, earlier / customers, last / customers
    kept = np.unique(np.linspace(0, len(draws) - 1, _DRAWS).astype(int))
    value = {str(name): draws[name].to_numpy(dtype="float64")[kept] for name in draws}
    p, q, v = value["p"], value["q"], value["v"]
    v = v * spend.level_of(value, x[:, 0])  # (group, draw)
    if "kappa" in value:
        first, is_first = first / value["kappa"], x == 0
        known = np.where(is_first, 0.0, first + np.where(x > 1, earlier, 0.0))
        count = np.where(is_first, 0.0, x)
        amount = np.where(is_first, first, last)
    else:
        known, count, amount = np.where(x > 1, earlier, 0.0), np.maximum(x - 1.0, 0.0), last
    pit = np.mean(betainc(p, q + p * count, amount / (v + known + amount)), axis=1)
    return pit if "kappa" in value else np.where(x[:, 0] > 0, pit, np.nan)


def calibration(groups: pd.DataFrame, draws: pd.DataFrame) -> dict[str, float]:
    """The gate of spend: are last orders where the model expects them?

    Returns
    -------
    dict
        ``spend_pit_share`` of customers with a PIT in (0.05, 0.95), ``spend_pit_distance`` (largest
        distance of the PIT's distribution from the uniform), ``spend_pit_customers_count``, and
        ``spend_calibrated``: 1.0 when the share is within `PIT_TOLERANCE` of `PIT_LEVEL`, or when
        no customer can be judged.
    """
    pit = last_order_pit(groups, draws)
    known = ~np.isnan(pit)
    weight = to_float(groups["customers_count"], "last orders")[known]
    if weight.sum() == 0:
        return {"spend_pit_customers_count": 0.0, "spend_calibrated": 1.0}
    tail = (1.0 - PIT_LEVEL) / 2.0
    order = np.argsort(pit[known])
    ordered, reached = pit[known][order], np.cumsum(weight[order]) / weight.sum()
    before = np.concatenate([[0.0], reached[:-1]])
    share = float(np.average((ordered > tail) & (ordered < 1 - tail), weights=weight[order]))
    return {
        "spend_pit_share": share,
        "spend_pit_distance": float(
            max(np.abs(reached - ordered).max(), np.abs(before - ordered).max())
        ),
        "spend_pit_customers_count": float(weight.sum()),
        "spend_calibrated": float(abs(share - PIT_LEVEL) <= PIT_TOLERANCE),
    }
