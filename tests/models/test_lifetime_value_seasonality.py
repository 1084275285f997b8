"""The clock against seasons that are known, shops without one, and histories bought on it.

Add here what operational time must satisfy.
The purchase models themselves are tested elsewhere.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import Sampling, purchases
from models_py.lifetime_value.season_fit import fit_clock, log_jacobian
from models_py.lifetime_value.seasonality import OperationalClock

END = dt.date(2023, 12, 31)
DAYS = 3 * 365
WEEK = np.arange(52)
# A summer low and a rush in the last four weeks.
SEASON = (1 + 0.3 * np.cos(2 * np.pi * WEEK / 52)) * np.where(WEEK >= 48, 1.8, 1.0)
SEASON = SEASON / np.average(SEASON, weights=np.where(WEEK == 51, 8.25, 7.0))
FLAT = np.ones(52)


def shop(season, customers=4000, seed=1):
    """MBG/NBD customers won over two and a half years, day by day on the season's clock."""
    generator = np.random.default_rng(seed)
    rate = generator.gamma(1.2, 1 / 8.0, customers) / 7
    dropout = generator.beta(0.8, 4.0, customers)
    won = np.sort(generator.integers(0, int(DAYS * 0.8), customers))
    is_active = generator.random(customers) > dropout
    x, last = np.zeros(customers), won.copy()
    dates = pd.date_range(end=END, periods=DAYS)
    index = OperationalClock(season, 0.0).of_days(dates)
    sold = np.zeros(DAYS)
    for day in range(DAYS):
        is_due = generator.random(customers) < -np.expm1(-rate * index[day])
        buys = is_active & (won < day) & is_due
        x[buys] += 1
        last[buys] = day
        sold[day] = buys.sum()
        is_active &= ~(buys & (generator.random(customers) < dropout))
    at_risk = np.searchsorted(won, np.arange(DAYS))
    weeks = pd.DataFrame({"day": dates, "sold": sold, "at_risk": at_risk}).iloc[DAYS % 7 :]
    counts = weeks.groupby(np.arange(len(weeks)) // 7).agg(
        week_start_date=("day", "first"),
        repeat_purchases_count=("sold", "sum"),
        customers_at_risk_count=("at_risk", "mean"),
    )
    histories = pd.DataFrame({"x": x, "span": last - won, "tenure": DAYS - 1 - won})
    return counts, histories


@pytest.fixture(scope="module")
def seasonal():
    return shop(SEASON)


def test_a_known_season_is_recovered(seasonal):
    clock = fit_clock(seasonal[0])
    assert np.corrcoef(clock.index, SEASON)[0, 1] > 0.93
    assert np.sqrt(np.mean((clock.index / SEASON - 1) ** 2)) < 0.15
    assert clock.index[48:].mean() == pytest.approx(SEASON[48:].mean(), rel=0.1)
    assert clock.gain > 10


def test_a_shop_without_a_season_keeps_the_calendar():
    clock = fit_clock(shop(FLAT)[0])
    assert np.abs(clock.index - 1).max() < 0.1
    assert clock.gain < 3


def test_a_year_has_as_many_operational_days_and_parts_add_up():
    clock = OperationalClock(SEASON, 1.0)
    year = clock.horizons(END, np.array([365.0]))[0]
    assert year == pytest.approx(365, abs=0.5)
    parts = clock.operational_days(END, np.array([-40.0, -12.5]), np.array([-12.5, 30.0]))
    whole = clock.operational_days(END, np.array([-40.0]), np.array([30.0]))
    assert parts.sum() == pytest.approx(whole[0], rel=1e-12)
    # January 2024 is week 0 to 4, date by date.
    expected = SEASON[[0] * 7 + [1] * 7 + [2] * 7 + [3] * 7 + [4] * 3].sum()
    assert clock.horizons(END, np.array([31.0]))[0] == pytest.approx(expected)
    assert clock.horizons(dt.date(2023, 6, 30), np.array([31.0]))[0] < expected


def test_the_flat_clock_is_the_calendar():
    flat = OperationalClock(FLAT, 0.0)
    span, tenure = flat.histories(END, np.array([3.0, 0.0]), np.array([9, 4]))
    assert span.tolist() == [3.0, 0.0] and tenure.tolist() == [9.0, 4.0]


def test_histories_are_likelier_and_parameters_truer_on_the_clock(seasonal):
    counts, histories = seasonal
    clock = fit_clock(counts)

    def groups(span, tenure):
        return pd.DataFrame(
            {
                "repeat_purchases_count": histories["x"].astype(int),
                "active_span_days": np.round(span, 6),
                "tenure_days": np.round(tenure, 6),
                "customers_count": 1,
            }
        )

    span, tenure = clock.histories(END, histories["span"], histories["tenure"])
    by = {
        "calendar": groups(histories["span"].to_numpy(), histories["tenure"].to_numpy()),
        "clock": groups(span, tenure),
    }
    at = {"r": 1.2, "alpha": 8.0, "a": 0.8, "b": 4.0}
    found = {
        name: purchases.log_likelihood(purchases.statistics(frame), **at)
        for name, frame in by.items()
    }
    # Without the Jacobian the two would not be densities of the same thing.
    assert found["clock"] + log_jacobian(clock, counts) > found["calendar"] + 50
    draws, _ = purchases.fit(by["clock"], "mbg_nbd", Sampling("importance"), 1000, 1)
    rate = draws["r"] / draws["alpha"]
    assert abs(rate.mean() - 1.2 / 8.0) < 3 * rate.std()


def test_too_little_or_broken_counts_are_refused(seasonal):
    counts, _ = seasonal
    with pytest.raises(ValueError, match=r"103 weeks are fewer than the two seasons"):
        fit_clock(counts.tail(103))
    with pytest.raises(ValueError, match=r"has gaps or repeats"):
        fit_clock(counts.drop(index=counts.index[30]))
    with pytest.raises(ValueError, match=r"1 rows have a negative count"):
        fit_clock(counts.assign(repeat_purchases_count=[-1.0] + [5.0] * (len(counts) - 1)))
    with pytest.raises(ValueError, match=r"customers_at_risk_count is NULL in 1 rows"):
        fit_clock(counts.assign(customers_at_risk_count=[np.nan] + [5.0] * (len(counts) - 1)))
