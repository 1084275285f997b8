"""Refunds that come late: outcomes are brought to the end that forecasts are made for.

Add here what a shop whose refunds outlast a window must show. The factor itself is tested in
tests/models/test_lifetime_value_margins.py.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.backtest_outcomes import KnownLedger
from dagster_project.lifetime_value_statistics import REFUND_LAGS
from dagster_project.warehouse import open_warehouse
from models_py.lifetime_value import LifetimeValue, Sampling
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.grouping import group_purchases, group_spend
from tests.warehouse.backtest_shop import features, fill, orders_of, purchases

ORIGIN, HORIZON = dt.date(2024, 4, 30), 30
END = ORIGIN + dt.timedelta(days=HORIZON)


def refunds_of(days: pd.DataFrame) -> pd.DataFrame:
    """Four orders in ten lose 60 % of their amount, 15 to 75 days later."""
    rng = np.random.default_rng(5)
    back = days[rng.random(len(days)) < 0.4]
    lag = pd.to_timedelta(rng.integers(15, 76, len(back)), unit="D")
    return back.assign(
        event_date=back["purchase_date"] + lag, revenue_amount=-0.6 * back["revenue_amount"]
    )


def net_on(days: pd.DataFrame, refunds: pd.DataFrame, day: dt.date) -> pd.DataFrame:
    """Purchase days net of the refunds known on a day."""
    known = refunds[refunds["event_date"] <= pd.Timestamp(day)]
    events = pd.concat([days, known])
    return events.groupby(["customer_id", "purchase_date"], as_index=False)["revenue_amount"].sum()


@pytest.fixture(scope="module")
def shop() -> tuple[pd.DataFrame, pd.DataFrame]:
    days = purchases(2000, 8)
    return days, refunds_of(days)


@pytest.fixture(scope="module")
def warehouse(shop, tmp_path_factory):
    days, refunds = shop
    ledger = pd.concat([orders_of(days), orders_of(refunds).assign(event_type="refund")])
    slices = [
        features(net_on(days, refunds, day), day).assign(refunds_count=1) for day in (ORIGIN, END)
    ]
    with open_warehouse(tmp_path_factory.mktemp("refunds") / "w.duckdb") as warehouse:
        fill(warehouse, ledger, slices)
        yield warehouse


def net_to_the_end(shop, ids) -> float:
    days, refunds = shop
    final = net_on(days, refunds, dt.date(2030, 1, 1))
    window = final["purchase_date"].between(pd.Timestamp(ORIGIN), pd.Timestamp(END), "right")
    return final[window & final["customer_id"].isin(ids)]["revenue_amount"].sum()


def test_outcomes_of_a_window_just_ended_are_those_that_later_refunds_leave(shop, warehouse):
    found = KnownLedger.read(warehouse, END).outcomes(warehouse, ORIGIN, HORIZON)
    truth = net_to_the_end(shop, found["customer_id"])
    total = found["realised_revenue_amount"].sum()
    assert total == pytest.approx(truth, rel=0.03)
    so_far = KnownLedger(END, pd.DataFrame(columns=["ordered_amount_sum"]))
    stopped = so_far.outcomes(warehouse, ORIGIN, HORIZON)["realised_revenue_amount"].sum()
    assert stopped > 1.15 * truth, "the refunds of this shop come late"
    # Long after, nothing is left to come.
    late = KnownLedger.read(warehouse, END + dt.timedelta(days=90))
    known = late.outcomes(warehouse, ORIGIN, HORIZON)["realised_revenue_amount"].sum()
    assert known == pytest.approx(truth, rel=1e-3)


def test_what_an_origin_knew_holds_no_later_refund(warehouse):
    then = KnownLedger.read(warehouse, ORIGIN)
    assert then.refund_lags["refunded_amount_sum"].sum() == pytest.approx(
        -warehouse.scalar(
            "select sum(revenue_amount) from marts.fct_revenue_ledger "
            "where event_type = 'refund' and event_date <= ?",
            [ORIGIN],
        )
    )


def test_late_refunds_do_not_bias_the_pit(shop, warehouse):
    """Among customers who bought, it is that of the same shop where nothing comes back."""
    days, refunds = shop

    def pit_of(frame, outcomes, lags=None) -> list[float]:
        model = LifetimeValue((HORIZON,), draws_kept=200, sampling=Sampling("importance"))
        model.fit(group_purchases(frame), group_spend(frame), refund_lags=lags)
        rows = [bt.evaluate(model, frame, found, ORIGIN) for found in outcomes]
        return [found.loc[found["realised_orders"] > 0, "revenue_pit"].mean() for found in rows]

    known = KnownLedger.read(warehouse, END)
    stopped = KnownLedger(END, pd.DataFrame(columns=["ordered_amount_sum"]))
    mended, biased = pit_of(
        features(net_on(days, refunds, ORIGIN), ORIGIN),
        [ledger.outcomes(warehouse, ORIGIN, HORIZON) for ledger in (known, stopped)],
        warehouse.frame(REFUND_LAGS, [ORIGIN]),
    )
    final = known.outcomes(warehouse, ORIGIN, HORIZON)
    window = days["purchase_date"].between(pd.Timestamp(ORIGIN), pd.Timestamp(END), "right")
    sums = days[window].groupby("customer_id")["revenue_amount"].sum()
    kept = final.assign(
        realised_revenue_amount=final["customer_id"].map(sums).fillna(0.0).to_numpy()
    )
    (plain,) = pit_of(features(days, ORIGIN), [kept])
    assert mended == pytest.approx(plain, abs=0.015)
    assert biased > plain + 0.03, "stopped at the end of the window, forecasts look too low"
