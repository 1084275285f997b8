"""The warehouse groups customers exactly as models_py does.

Add here a statistic that SQL and Python both compute.
"""

import datetime as dt

import numpy as np
import pandas as pd

from dagster_project.lifetime_value_statistics import PURCHASE_GROUPS, SPEND_GROUPS, purchase_groups
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import group_purchases, group_spend
from models_py.simulate import PlainParameters, simulate_purchases

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
