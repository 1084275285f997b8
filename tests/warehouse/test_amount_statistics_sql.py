"""What the warehouse sums of last orders, refunds and margins is what the models define.

Add here a statistic of money that SQL takes from the ledger.
Grouping of purchases and amounts by features is in `test_grouping_sql`.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.lifetime_value_statistics import LAST_ORDERS, MARGIN_GROUPS, REFUND_LAGS
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import margins, refunds, spend_pit

DAY = dt.date(2024, 6, 30)
LEDGER = """
    create table marts.fct_revenue_ledger as
    select customer_id, order_id, purchase_date::date as purchase_date,
        event_date::date as event_date, event_type,
        revenue_amount::decimal(18, 2) as revenue_amount,
        margin_amount::decimal(18, 2) as margin_amount
    from rows_of_test
"""


def ledger(rows: list[tuple]) -> pd.DataFrame:
    names = "customer_id order_id purchase_date event_date event_type revenue_amount margin_amount"
    return pd.DataFrame(rows, columns=names.split())


def ask(folder, rows: pd.DataFrame, sql: str, has_refunds: bool = True) -> pd.DataFrame:
    with open_warehouse(folder / "w.duckdb") as warehouse:
        warehouse.connection.register("rows_of_test", rows)
        warehouse.connection.execute(LEDGER)
        warehouse.connection.execute(
            "create table marts.fct_customer_features as select date '2024-06-30' as as_of_date, "
            f"{'0' if has_refunds else 'null::bigint'} as refunds_count"
        )
        return warehouse.frame(sql, [DAY])


def test_last_orders_are_days_net_of_refunds_known_by_the_date(tmp_path):
    rows = ledger(
        [
            ("a", "1", "2024-01-01", "2024-01-01", "order", 10, None),
            ("a", "2", "2024-02-01", "2024-02-01", "order", 20, None),
            ("a", "3", "2024-02-01", "2024-02-01", "order", 5, None),  # the same day
            ("a", "4", "2024-03-01", "2024-03-01", "order", 40, None),
            ("a", "4", "2024-03-01", "2024-03-09", "refund", -8, None),
            ("a", "5", "2024-04-01", "2024-04-01", "order", 50, None),
            ("a", "5", "2024-04-01", "2024-04-02", "refund", -50, None),  # no purchase after all
            ("a", None, None, "2024-04-02", "refund", -3, None),
            ("a", "6", "2024-07-01", "2024-07-01", "order", 90, None),  # after the date
            ("b", "7", "2024-06-30", "2024-06-30", "order", 7, None),
            ("b", "7", "2024-06-30", "2024-07-02", "refund", -7, None),  # not known yet
        ]
    )
    found = ask(tmp_path, rows, LAST_ORDERS)
    assert found.to_numpy().tolist() == [[0, 1, 7, 0, 7], [2, 1, 10, 25, 32]]
    draws = pd.DataFrame({"p": [2.0], "q": [3.0], "v": [30.0], "kappa": [1.0]})
    assert np.isfinite(spend_pit.last_order_pit(found, draws)).all()


def test_refunds_are_summed_by_days_after_their_order_where_refunds_are_delivered(tmp_path):
    rows = ledger(
        [
            ("a", "1", "2024-06-01", "2024-06-01", "order", 100, None),
            ("a", "1", "2024-06-01", "2024-06-04", "refund", -10, None),
            ("b", "2", "2024-06-27", "2024-06-27", "order", 50, None),
            ("b", "3", "2024-06-27", "2024-06-30", "order", 30, None),
            ("b", "2", "2024-06-27", "2024-06-30", "refund", -30, None),
            ("b", "2", "2024-06-27", "2024-07-02", "refund", -20, None),  # not known yet
            ("c", None, None, "2024-06-30", "refund", -4, None),
        ]
    )
    found = ask(tmp_path, rows, REFUND_LAGS)
    expected = [[3, 80, 40, 1000], [29, 100, 0, 0], [np.nan, 0, 4, 16]]
    np.testing.assert_array_equal(found.to_numpy(dtype="float64"), expected)
    draws, health = refunds.fit(found, 4000, 1)
    # Of 180 taken 40 came back by name and 4 by none; nothing came later than the third day.
    assert health["refund_rate"] == pytest.approx(44 / 180, rel=0.05)
    assert draws["net_factor"].mean() == pytest.approx(1 - 4 / 140, abs=0.003)
    (tmp_path / "other").mkdir()
    assert ask(tmp_path / "other", rows, REFUND_LAGS, has_refunds=False).empty


def test_margins_are_summed_as_models_py_does(tmp_path):
    random = np.random.default_rng(1)
    count = 400
    revenue = random.gamma(2.0, 20.0, count).round(2) + 0.01
    rows = ledger([])
    rows["customer_id"] = [f"c{number:03d}" for number in random.integers(0, 150, count)]
    rows["order_id"] = [str(number) for number in range(count)]
    rows = rows.assign(purchase_date="2024-05-01", event_date="2024-05-01", event_type="order")
    rows["revenue_amount"] = revenue
    rows["margin_amount"] = (revenue * random.normal(0.4, 0.2, count)).round(2)
    unknown = rows["customer_id"] == "c007"
    assert unknown.sum() > 1
    rows.loc[rows.index[unknown][0], "margin_amount"] = np.nan  # one cost unknown: all left out
    found = ask(tmp_path, rows, MARGIN_GROUPS)
    expected = margins.group_margins(rows[~unknown])
    assert list(found.columns) == list(expected.columns)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
