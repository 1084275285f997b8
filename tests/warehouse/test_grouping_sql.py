"""The warehouse groups customers exactly as models_py does.

Add here a statistic that SQL and Python both compute.
"""

import datetime as dt

import numpy as np
import pandas as pd

from dagster_project.lifetime_value_statistics import (
    PURCHASE_GROUPS,
    SPEND_GROUPS,
    WEEKLY_PURCHASES,
    purchase_groups,
)
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import group_purchases, group_spend, group_weeks
from models_py.simulate import PlainParameters, simulate_purchases, simulate_seasonal

DAY = dt.date(2024, 6, 30)


def test_sql_groups_are_the_groups_of_models_py(tmp_path):
    parameters = PlainParameters(r=0.6, alpha=8.0, a=0.8, b=2.5)
    customers, _ = simulate_purchases(parameters, 3_000, 300, 3, whole_days=True)
    customers = customers.round({"first_purchase_amount": 2, "repeat_purchase_amount": 2}).assign(
        as_of_date=DAY, purchase_days_count=customers["repeat_purchase_days_count"] + 1
    )
    customers["first_purchase_amount"] = customers["first_purchase_amount"].clip(lower=0.01)
    is_repeat = customers["repeat_purchase_days_count"] > 0
    customers.loc[is_repeat, "repeat_purchase_amount"] = customers.loc[
        is_repeat, "repeat_purchase_amount"
    ].clip(lower=0.01)
    prospect = pd.DataFrame({"customer_id": ["p"], "as_of_date": DAY, "purchase_days_count": 0})
    rows = pd.concat([customers.sample(frac=1, random_state=1), prospect], ignore_index=True)
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.connection.register("rows_of_test", rows)
        warehouse.connection.execute(
            "create table marts.fct_customer_features as select * from rows_of_test"
        )
        purchases = warehouse.frame(PURCHASE_GROUPS, [DAY])
        spend = warehouse.frame(SPEND_GROUPS, [DAY])
        pooled = warehouse.frame(purchase_groups("acquisition_quarter"), [DAY])
    pd.testing.assert_frame_equal(purchases, group_purchases(customers), check_dtype=False)
    first = pd.Timestamp(DAY) - pd.to_timedelta(customers["tenure_days"], unit="D")
    quarters = ("acquisition_quarter=" + first.dt.to_period("Q").astype(str)).value_counts()
    counted = pooled.groupby("pool")["customers_count"].sum()
    assert len(quarters) >= 3 and counted.to_dict() == quarters.to_dict()
    expected = group_spend(customers)
    assert len(spend) == len(expected) > 500
    assert list(spend["customers_count"]) == list(expected["customers_count"])
    for column in expected.columns:
        np.testing.assert_allclose(spend[column], expected[column], rtol=1e-6, atol=1e-6)


def test_sql_weeks_are_the_weeks_of_models_py_and_see_no_later_event(tmp_path):
    parameters = PlainParameters(r=0.9, alpha=4.0, a=0.8, b=4.0)
    days = simulate_seasonal(parameters, np.ones(500), 400, 300, 4)
    days["date"] = pd.Timestamp("2023-03-01") + pd.to_timedelta(days["day"], unit="D")
    ledger = pd.DataFrame(
        {
            "customer_id": days["customer_id"],
            "purchase_date": days["date"].dt.date,
            "event_date": days["date"].dt.date,
            "revenue_amount": days["amount"].round(2).clip(lower=0.01),
        }
    )
    # Orders of a hundred customers come back: some by the day, some later, which nobody can know.
    back = ledger[ledger["customer_id"] < "s_000100"].assign(
        revenue_amount=lambda rows: -rows["revenue_amount"],
        event_date=lambda rows: rows["purchase_date"] + dt.timedelta(days=9),
    )
    with open_warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.connection.register("rows_of_test", pd.concat([ledger, back]))
        warehouse.connection.execute(
            "create table marts.fct_revenue_ledger as select * from rows_of_test"
        )
        weeks = warehouse.frame(WEEKLY_PURCHASES, [DAY])
        warehouse.connection.execute("delete from marts.fct_revenue_ledger")
        assert warehouse.frame(WEEKLY_PURCHASES, [DAY]).empty
    gone = back[back["event_date"] <= DAY]
    keys = [pd.MultiIndex.from_frame(t[["customer_id", "purchase_date"]]) for t in (ledger, gone)]
    is_kept = ~keys[0].isin(keys[1])
    assert 0 < len(gone) < len(back)
    expected = group_weeks(days[is_kept], DAY)
    assert len(expected) > 60 and expected["repeat_purchases_count"].sum() > 500
    pd.testing.assert_frame_equal(
        weeks.assign(week_start_date=pd.to_datetime(weeks["week_start_date"])),
        expected.astype({"week_start_date": "datetime64[us]"}),
        check_dtype=False,
    )
    # By hand: whoever is won on a day is at risk from the next one.
    one = expected.iloc[20]
    first = days[is_kept].groupby("customer_id")["date"].min()
    inside = pd.date_range(one["week_start_date"], periods=7)
    assert one["customers_at_risk_count"] == np.mean([(first < day).sum() for day in inside])
    bought = days[is_kept]["date"].isin(inside).sum() - first.isin(inside).sum()
    assert one["repeat_purchases_count"] == bought
