"""Refunds and margin: planted rates come back, with intervals that cover, also per customer.

Add here a promise about money kept.
How amounts are modelled is tested in `test_lifetime_value_spend_checks`.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import LifetimeValue, margins, refunds

AS_OF = dt.date(2024, 6, 30)


def refund_ledger(orders: int, days: int, seed: int) -> tuple[pd.DataFrame, float, float]:
    """Orders over `days`; refunds 0 to 59 days later; what is known now, and the truth.

    Returns lags, the true factor on amounts net of known refunds, and the share that comes back.
    """
    random = np.random.default_rng(seed)
    # Most orders are young: the shop has doubled every two months.
    age = np.minimum(random.exponential(90.0, orders), days).astype(int)
    amount = random.gamma(3.0, 20.0, orders)
    is_back = random.random(orders) < 0.3
    lag = random.integers(0, 60, orders)
    share = np.where(random.random(orders) < 0.5, 1.0, random.random(orders))
    refund = np.where(is_back, amount * share, 0.0)
    names_order = random.random(orders) > 0.1
    is_known = is_back & (lag <= age)
    named = is_known & names_order
    size = max(age.max(), lag.max()) + 1
    frame = pd.DataFrame(
        {
            "days_count": np.arange(size, dtype="float64"),
            "ordered_amount_sum": np.bincount(age, amount, size),
            "refunded_amount_sum": np.bincount(lag[named], refund[named], size),
            "refunded_amount_squared_sum": np.bincount(lag[named], refund[named] ** 2, size),
        }
    )
    lone = is_known & ~names_order
    frame.loc[size] = [np.nan, 0.0, refund[lone].sum(), np.sum(refund[lone] ** 2)]
    kept = amount.sum() - refund[named].sum()
    return frame, (amount.sum() - refund.sum()) / kept, refund.sum() / amount.sum()


def test_refunds_to_come_are_recovered_with_intervals_that_cover():
    inside, errors = [], []
    for seed in range(60):
        lags, factor, rate = refund_ledger(3000, 400, seed)
        draws, found = refunds.fit(lags, 400, 1)
        low, high = np.quantile(draws["refund_rate"], [0.05, 0.95])
        inside.append(low <= rate <= high)
        errors.append(found["net_factor"] - factor)
        # What is known so far is short of the truth by much more than the estimate is.
        assert abs(found["refund_rate"] - rate) < 0.02 < 1 - factor
    # 60 intervals of 90 % cover fewer than 46 or all with probability below 0.003.
    assert 46 <= sum(inside) <= 60
    # Refunds that name no order are the only part that is reckoned as known to date.
    assert abs(np.mean(errors)) < 0.01


def test_orders_whose_refunds_are_all_in_need_no_factor():
    lags, _, _ = refund_ledger(3000, 400, 1)
    lags = lags[lags["days_count"].notna()]
    lags = lags.assign(ordered_amount_sum=np.where(lags["days_count"] == 390, 1e5, 0.0))
    lags.loc[len(lags)] = [390.0, 1e5, 0.0, 0.0]
    draws, found = refunds.fit(lags, 200, 1)
    assert (draws["net_factor"] == 1.0).all()
    assert found["refund_rate"] > 0.05
    nothing = lags.assign(refunded_amount_sum=0.0, refunded_amount_squared_sum=0.0)
    draws, _ = refunds.fit(nothing, 200, 1)
    assert (draws["net_factor"] == 1.0).all()
    assert (draws["refund_rate"] == 0.0).all()


def test_an_order_is_still_to_lose_what_older_ones_lost_after_its_age():
    lags = pd.DataFrame(
        {
            "days_count": [0.0, 1.0],
            "ordered_amount_sum": [1000.0, 1000.0],
            "refunded_amount_sum": [200.0, 50.0],
            "refunded_amount_squared_sum": [0.2, 0.05],  # many small refunds: no chance left
        }
    )
    draws, found = refunds.fit(lags, 400, 1)
    # A tenth comes back on the first day, a twentieth of day-old orders on the next: today's
    # thousand lose 50 more, of 1,750 left.
    assert found["refund_rate"] == pytest.approx(0.15, rel=0.01)
    np.testing.assert_allclose(draws["net_factor"], 1 - 50 / 1750, rtol=0.005)


@pytest.mark.parametrize("lag", [895, 950])
def test_one_refund_of_the_oldest_orders_does_not_take_from_all(lag):
    # 900 days of history, 100 of 285,388 taken by orders at least 895 days old; at 950 days there
    # is no order at all.
    days = np.arange(951)
    lags = pd.DataFrame(
        {
            "days_count": days.astype("float64"),
            "ordered_amount_sum": np.where(days < 895, 285_288 / 895, 20.0) * (days < 900),
            "refunded_amount_sum": np.where(days == lag, 50.0, 0.0),
            "refunded_amount_squared_sum": np.where(days == lag, 2500.0, 0.0),
        }
    )
    draws, found = refunds.fit(lags, 4000, 1)
    assert 0.99 < found["net_factor"] < 1.0
    # One rate for all lags seen of less than 5 % of the money.
    exposed = np.cumsum(lags["ordered_amount_sum"][::-1])[::-1]
    tail = exposed[(exposed < 0.05 * exposed[0]) & (exposed > 0)]
    assert draws["refund_rate"].mean() == pytest.approx(50 / tail.sum() * len(tail), rel=0.06)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"refunded_amount_sum": -1.0}, "refund lags: negative"),
        ({"ordered_amount_sum": np.nan}, "refund lags.ordered_amount_sum is NULL in 1 rows"),
    ],
)
def test_refunds_that_make_no_sense_are_refused(change, message):
    lags, _, _ = refund_ledger(50, 90, 1)
    lags.loc[3, list(change)] = list(change.values())
    with pytest.raises(ValueError, match=message):
        refunds.fit(lags, 100, 1)
    with pytest.raises(ValueError, match="hold no orders"):
        refunds.fit(lags.iloc[:0], 100, 1)


def orders_with_margin(
    customers: int, seed: int, tau: float = 0.08, sigma: float = 0.6
) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    count = 1 + random.poisson(3.0, customers)
    owner = np.repeat(np.arange(customers), count)
    own = random.normal(0.4, tau, customers)
    revenue = random.gamma(3.0, 15.0, len(owner))
    margin = own[owner] * revenue + sigma * np.sqrt(revenue) * random.standard_normal(len(owner))
    frame = pd.DataFrame({"customer_id": owner, "revenue_amount": revenue, "margin_amount": margin})
    return frame, own


def test_margin_of_the_base_and_its_parts_are_recovered():
    covered, found = [], []
    for seed in range(60):
        orders, _ = orders_with_margin(300, seed)
        draws, _ = margins.fit(margins.group_margins(orders), 400, seed)
        low, high = np.quantile(draws["margin_rate"], [0.05, 0.95])
        covered.append(low <= 0.4 <= high)
        found.append(draws[["margin_customer_sd", "margin_order_sd"]].iloc[0])
    assert 46 <= sum(covered) <= 60
    np.testing.assert_allclose(pd.DataFrame(found).mean(), [0.08, 0.6], rtol=0.05)


def test_customers_are_shrunk_to_the_base_as_far_as_their_orders_are_few():
    orders, own = orders_with_margin(4000, 1)
    draws, _ = margins.fit(margins.group_margins(orders), 200, 1)
    value = {name: draws[name].to_numpy() for name in draws}
    sums = orders.groupby("customer_id")[["revenue_amount", "margin_amount"]].sum()
    revenue, margin = sums["revenue_amount"].to_numpy(), sums["margin_amount"].to_numpy()
    mean, variance = margins.shrunk_rates(value, revenue, margin)
    error = np.mean((mean.mean(axis=1) - own) ** 2)
    assert error < 0.8 * np.mean((margin / revenue - own) ** 2)
    assert error < 0.8 * np.var(own)
    assert error == pytest.approx(variance.mean(), rel=0.1)
    unknown, _ = margins.shrunk_rates(value, np.array([0.0, 50.0]), np.array([1.0, np.nan]))
    np.testing.assert_array_equal(unknown, np.broadcast_to(value["margin_rate"], (2, 200)))


def test_one_customer_one_price_or_one_wholesaler_leave_a_sane_rate():
    orders, _ = orders_with_margin(300, 1)
    one = orders[orders["customer_id"] == orders["customer_id"].mode()[0]]
    draws, _ = margins.fit(margins.group_margins(one), 400, 1)
    assert np.isfinite(draws.to_numpy()).all()
    alike = orders.assign(revenue_amount=20.0, margin_amount=8.0)
    draws, _ = margins.fit(margins.group_margins(alike), 400, 1)
    assert draws["margin_rate"].std() < 1e-6
    assert draws["margin_rate"].mean() == pytest.approx(0.4)
    huge = pd.concat(
        [orders, pd.DataFrame({"customer_id": [-1], "revenue_amount": 1e6, "margin_amount": 1e5})]
    )
    with_him, _ = margins.fit(margins.group_margins(huge), 400, 1)
    usual, _ = margins.fit(margins.group_margins(orders), 400, 1)
    # By revenue the base would be at 0.11.
    assert abs(with_him["margin_rate"].mean() - usual["margin_rate"].mean()) < 0.01


def test_margins_that_make_no_sense_are_refused():
    orders, _ = orders_with_margin(10, 1)
    with pytest.raises(ValueError, match="1 orders, 0 groups"):
        margins.fit(margins.group_margins(orders.head(1)), 100, 1)
    with pytest.raises(ValueError, match="not positive or a margin_amount is NULL"):
        margins.group_margins(orders.assign(revenue_amount=-1.0))
    with pytest.raises(ValueError, match=r"margin groups\.revenue_sum is NULL"):
        margins.fit(margins.group_margins(orders).assign(revenue_sum=np.nan), 100, 1)


def _rows(extra: dict[str, float], draws: int = 400) -> pd.DataFrame:
    values = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.4, "p": 3.0, "q": 4.0, "v": 30.0} | extra
    owner = dict.fromkeys(("r", "alpha", "a", "b"), "mbg_nbd")
    owner |= dict.fromkeys(margins.PARAMETERS, "margin") | dict.fromkeys(
        refunds.PARAMETERS, "refunds"
    )
    return pd.DataFrame(
        [
            (owner.get(name, "spend"), draw, name, value)
            for name, value in values.items()
            for draw in range(draws)
        ],
        columns=["model", "draw", "parameter", "value"],
    )


MARGIN = {"margin_rate": 0.4, "margin_customer_sd": 0.1, "margin_order_sd": 0.5}


def batch() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["poor", "rich", "unknown"],
            "repeat_purchase_days_count": 9,
            "active_span_days": 80,
            "tenure_days": 90,
            "first_purchase_amount": 20.0,
            "repeat_purchase_amount": 180.0,
            "observed_revenue_amount": 200.0,
            "observed_margin_amount": [20.0, 120.0, None],
        }
    )


def test_predicted_margin_is_revenue_times_a_rate_of_the_customers_own():
    model = LifetimeValue.from_parameters(_rows(MARGIN), horizons_days=(90, 365))
    table, totals = model.predict_with_totals(batch(), AS_OF)
    rate = (table["predicted_margin_mean"] / table["predicted_revenue_mean"]).to_numpy()
    weight = 0.01 / (0.01 + 0.25 / 200)
    poor, rich = (weight * own + (1 - weight) * 0.4 for own in (0.1, 0.6))
    np.testing.assert_allclose(rate, np.repeat([poor, rich, 0.4], 2), rtol=1e-9)
    levels = [f"predicted_margin_{level}" for level in ("p05", "p25", "p50", "p75", "p95")]
    assert (np.diff(table[levels].to_numpy(), axis=1) >= 0).all()
    # Nothing is known of the third one's margin: it is the widest share of revenue.
    width = (
        table.groupby("customer_id")[levels]
        .first()
        .pipe(lambda rows: rows["predicted_margin_p95"] - rows["predicted_margin_p05"])
    )
    assert width["unknown"] > width["poor"]
    assert totals.margin is not None
    expected = table.groupby("horizon_days")["predicted_margin_mean"].sum()
    np.testing.assert_allclose(totals.margin.mean(axis=0), expected, rtol=0.12)
    parts = [model.predict_totals(batch().iloc[[row]], AS_OF) for row in (2, 0, 1)]
    np.testing.assert_array_equal((parts[0] + parts[1] + parts[2]).margin, totals.margin)


def test_without_known_costs_no_margin_is_predicted():
    table, totals = LifetimeValue.from_parameters(_rows({})).predict_with_totals(batch(), AS_OF)
    assert table.filter(like="predicted_margin").isna().all(axis=None)
    assert totals.margin is None


def test_refunds_to_come_take_from_predicted_money_and_not_from_orders():
    plain, less = (
        LifetimeValue.from_parameters(_rows(extra)).predict(batch(), AS_OF)
        for extra in ({}, {"net_factor": 0.9, "refund_rate": 0.2})
    )
    for name in ("predicted_revenue_mean", "predicted_present_value_mean", "predicted_revenue_p95"):
        np.testing.assert_allclose(less[name], 0.9 * plain[name], rtol=1e-3, atol=0.01)
    np.testing.assert_array_equal(less["predicted_orders_mean"], plain["predicted_orders_mean"])


def test_factors_survive_the_trip_through_plain_rows_and_are_refused_in_part():
    rows = _rows(MARGIN | {"net_factor": 0.97, "refund_rate": 0.05})
    again = LifetimeValue.from_parameters(rows).parameters_frame()
    keys = ["model", "draw", "parameter"]
    pd.testing.assert_frame_equal(again, rows.sort_values(keys, ignore_index=True))
    with pytest.raises(ValueError, match="lack margin_order_sd"):
        LifetimeValue.from_parameters(rows[rows["parameter"] != "margin_order_sd"])


def test_what_an_age_leaves_is_all_that_is_kept_over_what_was_kept_by_then():
    """A tenth comes back after one day and a fifth after two; 5 % name no order."""
    rows = [(0, 100, 0), (1, 100, 30), (2, 100, 40), (3, 100, 0), (np.nan, 0, 20)]
    lags = pd.DataFrame(
        rows, columns=["days_count", "ordered_amount_sum", "refunded_amount_sum"]
    ).assign(refunded_amount_squared_sum=1.0)
    kept = refunds.kept_from_age(lags, np.array([0, 1, 2, 3, 9]))
    assert kept == pytest.approx([0.65, 0.65 / 0.9, 0.65 / 0.7, 0.65 / 0.7, 0.65 / 0.7])
    assert refunds.kept_from_age(lags.head(0), np.array([0, 5])).tolist() == [1.0, 1.0]
