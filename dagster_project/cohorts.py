"""What cohorts of acquisition brought by age, what they will bring, and what winning them cost.

Add here a figure of a cohort that is read off the ledger or off costs. Predicted sums come from
value_totals.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pandas as pd

from dagster_project.result_tables import COHORT_LTV
from dagster_project.warehouse import Warehouse

MEMBERS = """
    select features.customer_id,
        cast(date_trunc('month', features.first_purchase_date) as date) as acquisition_month,
        coalesce(features.acquisition_channel, 'unknown') as acquisition_channel,
        coalesce(customers.acquisition_cost_amount, costs.amount) as cost_amount
    from marts.fct_customer_features as features
    left join marts.dim_customers as customers on customers.customer_id = features.customer_id
    left join costs_by_channel as costs
        on costs.channel = coalesce(features.acquisition_channel, 'unknown')
    where features.as_of_date = {day} and features.purchase_days_count > 0
"""
# An event before the month of the first purchase (an order that netted to nothing) counts at age 0.
OBSERVED = """
    with members as ({members}),
    cohorts as (
        select acquisition_month, acquisition_channel, count(*) as customers_count,
            case when count(cost_amount) = count(*)
                then cast(sum(cost_amount) as decimal(18, 2)) end as acquisition_cost_amount
        from members group by all
    ),
    ages as (
        select cohorts.*, cast(age_months as integer) as age_months from cohorts
        cross join lateral (
            select unnest(range(date_diff('month', acquisition_month, {day}) + 1)) as age_months)
    ),
    events as (
        select acquisition_month, acquisition_channel,
            greatest(date_diff('month', acquisition_month, ledger.event_date), 0) as age_months,
            sum(ledger.revenue_amount) as revenue_amount,
            sum(ledger.margin_amount) as margin_amount,
            count(*) - count(ledger.margin_amount) as unknown_count
        from members join marts.fct_revenue_ledger as ledger using (customer_id)
        where ledger.event_date <= {day} group by all
    )
    select acquisition_month, acquisition_channel, age_months, customers_count,
        acquisition_cost_amount,
        cast(coalesce(sum(revenue_amount) over w, 0) as decimal(18, 2)) as observed_revenue_amount,
        case when coalesce(sum(unknown_count) over w, 0) = 0
            then cast(coalesce(sum(margin_amount) over w, 0) as decimal(18, 2))
        end as observed_margin_amount
    from ages left join events using (acquisition_month, acquisition_channel, age_months)
    window w as (partition by acquisition_month, acquisition_channel order by age_months)
    order by acquisition_month, acquisition_channel, age_months
"""
KEY = ["acquisition_month", "acquisition_channel"]


def observed(
    warehouse: Warehouse, as_of_date: dt.date, cost_by_channel: Mapping[str, float]
) -> pd.DataFrame:
    """Cumulative ledger of every cohort by age in calendar months, and what it cost.

    Parameters
    ----------
    cost_by_channel
        Cost of one customer where the source says none.

    Returns
    -------
    DataFrame
        One row per cohort and age: acquisition_month, acquisition_channel, age_months,
        customers_count, acquisition_cost_amount, observed_revenue_amount, observed_margin_amount.
    """
    costs = pd.DataFrame(
        {"channel": list(cost_by_channel), "amount": list(cost_by_channel.values())}
    ).astype({"channel": "str", "amount": "float64"})
    warehouse.connection.register("given_costs", costs)
    try:
        warehouse.connection.execute(
            "create or replace temp table costs_by_channel as "
            "select channel, cast(amount as decimal(18, 2)) as amount from given_costs"
        )
    finally:
        warehouse.connection.unregister("given_costs")
    day = f"date '{as_of_date}'"
    return warehouse.frame(OBSERVED.format(members=MEMBERS.format(day=day), day=day))


def cohort_rows(curves: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    """Join observed curves and predicted sums into rows of predictions.cohort_ltv.

    Parameters
    ----------
    curves : DataFrame
        As from `observed`.
    predicted : DataFrame
        cohort (month and channel), horizon_days and sums, as from `value_totals.group_rows`.

    Returns
    -------
    DataFrame
        Horizon 0 at every age, the other horizons at the last; without as_of_date and version.
    """
    payback = curves[
        to_number(curves["observed_margin_amount"]) >= to_number(curves["acquisition_cost_amount"])
    ]
    curves = curves.merge(
        payback.groupby(KEY)["age_months"].min().rename("payback_age_months").reset_index(),
        on=KEY,
        how="left",
    )
    curves["cohort"] = curves["acquisition_month"].astype(str) + " " + curves["acquisition_channel"]
    last = curves.groupby("cohort")["age_months"].transform("max") == curves["age_months"]
    sums = predicted.drop(
        columns=["customers_count", "observed_revenue_amount", "observed_margin_amount"]
    )
    ahead = curves[last].merge(sums, on="cohort")
    rows = pd.concat([curves.assign(horizon_days=0), ahead], ignore_index=True)
    cost = to_number(rows["acquisition_cost_amount"])
    cost = cost.where(cost > 0)
    for value in ("revenue", "margin"):
        future = to_number(rows.get(f"predicted_{value}_mean", pd.Series(np.nan, rows.index)))
        future = future.where(rows["horizon_days"] > 0, 0.0)
        rows[f"{value}_to_cost_ratio"] = (
            to_number(rows[f"observed_{value}_amount"]) + future
        ) / cost
    rows["payback_age_months"] = rows["payback_age_months"].astype("Int64")
    return rows.reindex(columns=COHORT_LTV.column_names)


def to_number(column: pd.Series) -> pd.Series:
    """Decimals and None as doubles."""
    return pd.to_numeric(column, errors="coerce").astype("float64")
