"""Forecasts on the season's clock against futures that are known, and what they may depend on.

Add here a promise about `LifetimeValue` with a clock. How a season is estimated is tested in
test_lifetime_value_seasonality.py.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from benchmarks.discrepancy_data import histories
from models_py.lifetime_value import (
    LifetimeValue,
    OperationalClock,
    Sampling,
    evaluate,
    find_clock,
    group_purchases,
    group_spend,
    group_weeks,
)
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.seasonality import week_of_year
from models_py.simulate import PlainParameters, simulate_seasonal

START, DAYS = pd.Timestamp("2021-01-01"), 4 * 365
DATES = pd.date_range(START, periods=DAYS)
WEEK = np.arange(52)
SEASON = (1 + 0.35 * np.cos(2 * np.pi * WEEK / 52)) * np.where(WEEK >= 46, 1.8, 1.0)
SEASON = SEASON / np.average(SEASON, weights=np.where(WEEK == 51, 8.25, 7.0))
TRUTH = PlainParameters(r=1.2, alpha=5.0, a=0.8, b=6.0)
HORIZONS = (30, 90)
# Before the summer low, and before the rush of the last weeks.
LOW, HIGH = dt.date(2024, 5, 31), dt.date(2023, 10, 31)


def shop(season, customers, seed):
    speed = season[week_of_year(DATES)]
    days = simulate_seasonal(TRUTH, speed, customers, int(DAYS * 0.6), seed)
    date = START + pd.to_timedelta(days["day"], unit="D")
    return days.assign(date=date.astype("datetime64[us]"))


@pytest.fixture(scope="module")
def seasonal():
    return shop(SEASON, 4_000, 5)


def fitted(batch, clock=None, day=None, family="mbg_nbd"):
    sampling = Sampling("importance")
    model = LifetimeValue(HORIZONS, 0.1, family, draws_kept=200, sampling=sampling, random_state=3)
    return model.fit(group_purchases(batch), group_spend(batch), clock=clock, as_of_date=day)


def outcomes(days, day, customers):
    after = days[days["customer_id"].isin(customers) & (days["date"] > pd.Timestamp(day))]
    parts = []
    for horizon in HORIZONS:
        window = after[after["date"] <= pd.Timestamp(day) + pd.Timedelta(days=horizon)]
        by = window.groupby("customer_id")["amount"].agg(["size", "sum"])
        by = by.reindex(np.sort(customers), fill_value=0)
        parts.append(
            pd.DataFrame(
                {
                    "customer_id": by.index,
                    "horizon_days": horizon,
                    "realised_orders_count": by["size"].to_numpy(),
                    "realised_revenue_amount": by["sum"].to_numpy(),
                }
            )
        )
    return pd.concat(parts)


@pytest.fixture(scope="module")
def on_both(seasonal):
    """Model by date and time scale: with the clock that the data gave, and on the calendar."""
    found = {}
    for day in (LOW, HIGH):
        batch = histories(seasonal, pd.Timestamp(day))
        clock, said = find_clock(group_weeks(seasonal, day))
        assert clock is not None and said.startswith("clock: a gain of ")
        found[day] = (batch, fitted(batch, clock, day), fitted(batch))
    return found


@pytest.mark.parametrize("day", [LOW, HIGH])
def test_a_known_season_is_found_and_forecasts_are_nearer_the_truth(seasonal, on_both, day):
    batch, on_clock, on_calendar = on_both[day]
    assert np.corrcoef(on_clock.clock_.index, SEASON)[0, 1] > 0.93
    happened = outcomes(seasonal, day, batch["customer_id"].unique())
    errors = {}
    for name, model in (("clock", on_clock), ("calendar", on_calendar)):
        evaluated = evaluate(model, batch, happened, day)
        by = evaluated.groupby("horizon_days")
        bias = by["predicted_orders"].sum() / by["realised_orders"].sum() - 1
        errors[name] = bias.abs(), by["orders_crps"].mean(), by["revenue_crps"].mean()
    for horizon in HORIZONS:
        assert errors["clock"][0][horizon] < min(0.06, errors["calendar"][0][horizon] / 2)
        assert errors["calendar"][0][horizon] > 0.12
        assert errors["clock"][1][horizon] < errors["calendar"][1][horizon]
        assert errors["clock"][2][horizon] < errors["calendar"][2][horizon]


def test_weeks_are_tracked_on_the_clock(seasonal, on_both):
    batch, on_clock, on_calendar = on_both[HIGH]
    known = seasonal[seasonal["customer_id"].isin(batch["customer_id"])]
    ahead = (known["date"] - pd.Timestamp(HIGH)).dt.days
    ahead = ahead[(ahead > 0) & (ahead <= 98)].to_numpy()
    missed = [
        (table["forecast"] / table["actual"] - 1).abs().mean()
        for table in (
            bt.weekly_tracking(model, batch, ahead, HIGH, 14) for model in (on_clock, on_calendar)
        )
    ]
    assert missed[0] < 0.08 and missed[0] < missed[1] / 2


def test_neither_a_shop_without_season_nor_a_young_one_gets_a_clock():
    for seed in (1, 2, 3):
        flat = shop(np.ones(52), 1_500, seed)
        clock, said = find_clock(group_weeks(flat, LOW))
        assert clock is None and said.startswith("calendar: a gain of ")
    young = dt.date(2022, 12, 20)
    clock, said = find_clock(group_weeks(shop(SEASON, 1_500, 1), young))
    assert clock is None and said == "calendar: 102 whole weeks, fewer than two seasons (104)"
    nobody = flat[~flat.duplicated("customer_id")]
    assert find_clock(group_weeks(nobody, LOW)) == (None, "calendar: no repeat purchase")
    assert find_clock(group_weeks(nobody.head(0), LOW))[0] is None


def test_rows_of_parameters_bring_the_clock_back(on_both):
    batch, model, _ = on_both[LOW]
    rows = model.parameters_frame()
    assert list(rows) == ["model", "draw", "parameter", "value"]
    assert (rows["model"] == "season").sum() == 53
    settings = {"horizons_days": HORIZONS, "annual_discount_rate": 0.1, "random_state": 3}
    again = LifetimeValue.from_parameters(rows.sample(frac=1, random_state=1), **settings)
    pd.testing.assert_frame_equal(again.parameters_frame(), rows)
    part = batch.head(40)
    pd.testing.assert_frame_equal(again.predict(part, LOW), model.predict(part, LOW))
    with pytest.raises(ValueError, match="model_parameters lack weeks of the season"):
        LifetimeValue.from_parameters(rows[rows["parameter"] != "index_week_17"])
    plain = LifetimeValue.from_parameters(rows[rows["model"] != "season"], **settings)
    assert plain.clock_ is None
    assert not plain.predict(part, LOW).equals(model.predict(part, LOW))


def test_company_and_order_do_not_change_a_customer_and_totals_add_up(on_both):
    batch, model, _ = on_both[LOW]
    whole = batch.head(300)
    shuffled = whole.sample(frac=1, random_state=3)
    parts = [shuffled.iloc[:7], shuffled.iloc[7:]]
    key = ["customer_id", "horizon_days"]
    together = model.predict(whole, LOW).sort_values(key, ignore_index=True)
    apart = pd.concat(model.predict(part, LOW) for part in parts)
    pd.testing.assert_frame_equal(apart.sort_values(key, ignore_index=True), together)
    sums = [model.predict_totals(part, LOW) for part in (*parts, whole)]
    np.testing.assert_array_equal((sums[0] + sums[1]).revenue, sums[2].revenue)


def test_a_flat_clock_is_the_calendar_and_a_fit_needs_its_date(on_both):
    batch = on_both[LOW][0]
    flat = OperationalClock(np.ones(52), 9.0)
    part = batch.head(100)
    model, plain = fitted(part, flat, LOW), fitted(part)
    pd.testing.assert_frame_equal(model.draws_, plain.draws_)
    pd.testing.assert_frame_equal(model.predict(part, LOW), plain.predict(part, LOW))
    with pytest.raises(ValueError, match="a clock needs the as_of_date"):
        fitted(part, flat)


def test_the_next_order_is_dated_on_the_calendar(on_both):
    batch, model, _ = on_both[LOW]
    predicted = model.predict(batch.head(400), LOW)
    ninety = predicted[predicted["horizon_days"] == 90].dropna(subset="expected_next_order_date")
    waiting = np.concatenate([part.waiting_days for part in model.simulate(batch.head(400), LOW)])
    days = (ninety["expected_next_order_date"] - pd.Timestamp(LOW)).dt.days
    place = batch.head(400).reset_index(drop=True).reset_index()
    own = place.set_index("customer_id").loc[ninety["customer_id"], "index"].to_numpy()
    np.testing.assert_array_equal(days, np.ceil(waiting[own]))
    # The low before July makes a day count for less: on the clock the wait is shorter.
    gone_by = model.clock_.horizons(LOW, waiting[own])
    assert len(own) > 50 and (gone_by < 0.9 * waiting[own]).mean() > 0.9
    weeks = model.clock_.calendar_days(LOW, model.clock_.horizons(LOW, np.array([12.5, 80])), 90)
    np.testing.assert_allclose(weeks, [12.5, 80])
    # Beyond the longest horizon days count as they do on average.
    year = model.clock_.horizons(LOW, np.array([90.0]))[0]
    np.testing.assert_allclose(model.clock_.calendar_days(LOW, np.array([year + 50.0]), 90), [140])


def test_money_is_discounted_by_the_calendar(on_both):
    batch, fit, _ = on_both[LOW]
    settings = {"annual_discount_rate": 0.5, "random_state": 3}
    weeks = tuple(range(7, 92, 7))
    by_week, at_once = (
        LifetimeValue.from_parameters(fit.parameters_frame(), horizons_days=days, **settings)
        .predict(batch.head(200), LOW)
        .groupby("horizon_days")[["predicted_revenue_mean", "predicted_present_value_mean"]]
        .sum()
        for days in (weeks, (91,))
    )
    gained = np.diff(by_week["predicted_revenue_mean"], prepend=0.0)
    exact = np.sum(gained * 1.5 ** (-(np.array(weeks) - 3.5) / 365)) / gained.sum()
    found = at_once.loc[91, "predicted_present_value_mean"] / gained.sum()
    # By the clock, on which these 91 days are 60, the factor would be 0.97.
    assert fit.clock_.horizons(LOW, np.array([91.0]))[0] < 65 and exact < 0.955
    assert found == pytest.approx(exact, abs=0.003)
