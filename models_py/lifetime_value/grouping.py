"""From customers to the grouped rows that the models are fitted on.

Add here a grouping when a model gets a new sufficient statistic; the warehouse does the same in
SQL, by the formulas written here.
Likelihoods belong in `purchases` and `spend`.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from models_py.frames import (
    LTV_LOG_FEATURES,
    PURCHASE_GROUPS,
    SPEND_GROUPS,
    require_columns,
    require_complete,
    to_float,
)

BINS_PER_LOG_UNIT = 20
"""Bins are ``floor(20 ln(amount))``, each 5 % wide: amounts 100.00 and 104.00 share one."""

_TABLE = "fct_customer_features"
_REMEDY = "Pass customers with at least one purchase day only."


def group_purchases(features: pd.DataFrame) -> pd.DataFrame:
    """Count customers with the same purchase history; exact, nothing is binned.

    SQL: ``select repeat_purchase_days_count, active_span_days, tenure_days, count(*) ... where
    purchase_days_count >= 1 group by all``.

    Parameters
    ----------
    features : DataFrame
        One row per customer, the three columns above, from `frames.LTV_FEATURES`.

    Returns
    -------
    DataFrame
        Columns of `PURCHASE_GROUPS`, sorted by the first three.

    Raises
    ------
    ValueError
        For missing columns, or customers without a purchase.
    """
    source = ["repeat_purchase_days_count", "active_span_days", "tenure_days"]
    require_columns(features, source, _TABLE)
    require_complete(features, source, _TABLE, _REMEDY)
    keys = pd.DataFrame(
        {
            to: to_float(features[name], _TABLE)
            for to, name in zip(PURCHASE_GROUPS, source, strict=False)
        }
    ).astype({"repeat_purchases_count": "int64"})
    counted = keys.groupby(list(keys.columns), sort=True).size()
    return counted.rename("customers_count").reset_index()


def group_spend(features: pd.DataFrame, bins_per_log_unit: int = BINS_PER_LOG_UNIT) -> pd.DataFrame:
    """Sum the amounts of customers alike in count, first amount and repeat amount.

    SQL: group by ``repeat_purchase_days_count, floor(20 * ln(first_purchase_amount)), case when
    repeat_purchase_days_count > 0 then floor(20 * ln(repeat_purchase_amount)) end``. A customer
    on the edge of a bin may fall either way; the sums stay right.

    Parameters
    ----------
    features : DataFrame
        One row per customer, columns of `frames.LTV_FEATURES` and `LTV_LOG_FEATURES`.
    bins_per_log_unit : int

    Returns
    -------
    DataFrame
        Columns of `SPEND_GROUPS`, sorted by the keys.

    Raises
    ------
    ValueError
        For missing columns, or customers without a purchase.
    """
    source = ["repeat_purchase_days_count", "first_purchase_amount", "repeat_purchase_amount"]
    source += list(LTV_LOG_FEATURES)
    require_columns(features, source, _TABLE)
    require_complete(features, source, _TABLE, _REMEDY)
    x, first, repeat, log_first, log_all = (to_float(features[name], _TABLE) for name in source)
    if (first <= 0).any() or (repeat[x > 0] <= 0).any():
        raise ValueError(
            f"{_TABLE}: first_purchase_amount, and repeat_purchase_amount of repeat buyers, must "
            "be above 0. A purchase day needs a net amount above 0."
        )
    repeat_or_one = np.where(x > 0, repeat, 1.0)
    rows = pd.DataFrame(
        {
            "repeat_purchases_count": x.astype("int64"),
            "first_bin": np.floor(bins_per_log_unit * np.log(first)),
            "repeat_bin": np.where(
                x > 0, np.floor(bins_per_log_unit * np.log(repeat_or_one)), -np.inf
            ),
            "customers_count": 1,
            "first_amount_sum": first,
            "repeat_amount_sum": np.where(x > 0, repeat, 0.0),
            "first_log_amount_sum": log_first,
            "log_amount_sum": log_all,
        }
    )
    keys = ["repeat_purchases_count", "first_bin", "repeat_bin"]
    grouped = rows.groupby(keys, sort=True).sum().reset_index()
    return grouped[list(SPEND_GROUPS)]


def group_weeks(purchase_days: pd.DataFrame, as_of_date: dt.date) -> pd.DataFrame:
    """Count repeat purchases and customers at risk week by week, for the season's clock.

    Weeks end on the as-of date, back to the first purchase of all, without the week that has it.
    Whoever is won on a day is at risk from the next day on.

    Parameters
    ----------
    purchase_days : DataFrame
        customer_id, date; one row per customer and day with a purchase. Later ones are not seen.
    as_of_date : date

    Returns
    -------
    DataFrame
        Columns of `season_fit.WEEKLY_PURCHASES`, ascending.
    """
    end = pd.Timestamp(as_of_date)
    seen = purchase_days[pd.to_datetime(purchase_days["date"]) <= end]
    age = (end - pd.to_datetime(seen["date"])).dt.days
    first = age.groupby(seen["customer_id"]).transform("max")
    count = int(age.max()) // 7 if len(age) else 0  # whole weeks
    bought = np.bincount(age[age < first] // 7, minlength=count + 1)[:count]
    won = age[age == first]
    own = np.bincount(won // 7, weights=won % 7, minlength=count + 1)
    by_week = np.bincount(won // 7, minlength=count + 1)
    before = by_week[::-1].cumsum()[::-1] - by_week
    return pd.DataFrame(
        {
            "week_start_date": end - pd.to_timedelta(7 * np.arange(count) + 6, unit="D"),
            "repeat_purchases_count": bought,
            "customers_at_risk_count": (before + own / 7)[:count],
        }
    )[::-1].reset_index(drop=True)
