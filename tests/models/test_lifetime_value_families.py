"""All purchase families alike: gradients, grouping, odd shops, published expectations.

Add here what must hold for every family of `purchases.MODELS`.
A family's own likelihood is tested in `test_lifetime_value_likelihoods` and `..._pareto_nbd`.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from benchmarks.cdnow import customers
from benchmarks.purchase_data import simulate
from models_py.lifetime_value import LifetimeValue, Sampling, group_purchases, purchases
from models_py.posterior import failed_gates

PUBLISHED = {
    "mbg_nbd": (0.525, 6.183, 0.891, 1.614),
    "bg_nbd": (0.243, 4.414, 0.793, 2.426),
    "pareto_nbd": (0.553, 10.578, 0.606, 11.669),
}
FAMILIES = pytest.mark.parametrize("family", purchases.MODELS)


def groups(x, spans, tenures, counts):
    return pd.DataFrame(
        {
            "repeat_purchases_count": x,
            "active_span_days": np.asarray(spans, dtype="float64"),
            "tenure_days": np.asarray(tenures, dtype="float64"),
            "customers_count": counts,
        }
    )


def log_likelihood(frame, family):
    model = purchases.model(family)
    at = dict(zip(model.parameters, PUBLISHED[family], strict=True))
    return float(model.log_likelihood(purchases.statistics(frame, family), at, np))


@FAMILIES
def test_grouped_and_single_customers_have_the_same_log_likelihood(family, test_data):
    grouped = group_purchases(customers(test_data))
    single = grouped.loc[grouped.index.repeat(grouped["customers_count"])].assign(customers_count=1)
    assert len(grouped) < len(single) / 2
    together, apart = log_likelihood(grouped, family), log_likelihood(single, family)
    assert together == pytest.approx(apart, rel=1e-9)
    # Whoever is counted twice is found twice.
    twice = grouped.assign(customers_count=2 * grouped["customers_count"])
    assert log_likelihood(twice, family) == pytest.approx(2 * apart, rel=1e-9)


@FAMILIES
def test_gradients_of_the_chains_are_those_of_the_density(family):
    at = dict(zip(purchases.model(family).parameters, PUBLISHED[family], strict=True))
    generator = np.random.default_rng(3)
    shop = simulate(family, at, generator.uniform(0.0, 60.0, 200), generator).groups()
    odd = groups([0, 40, 0, 2], [0, 200, 0, 30], [0, 200, 3000, 30], [3, 1, 2, 1])
    model, data = (
        purchases.model(family),
        purchases.statistics(pd.concat([shop, odd]), family),
    )
    gradient = model.pymc(data).compile_dlogp(mode="FAST_COMPILE")
    names, step = list(model.priors), 1e-5
    for _ in range(3):
        point = model.start() + generator.normal(0.0, 0.7, len(names))
        numeric = [
            (model.log_density(data, point + move) - model.log_density(data, point - move))
            / (2 * step)
            for move in step * np.eye(len(names))
        ]
        found = gradient(dict(zip(names, point, strict=True)))
        np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-4)


def test_expectation_of_a_heavy_buyer_is_the_published_one():
    """Fader, Hardie & Lee (2005): x = 26, t_x = 30.857, T = 31; 52 weeks of BG/NBD."""
    count = 4_000
    names = ("r", "alpha", "a", "b", "p", "q", "v")
    at = dict(zip(names, (*PUBLISHED["bg_nbd"], 6.25, 3.74, 15.44), strict=True))
    rows = [
        pd.DataFrame(
            {
                "model": "bg_nbd" if name in ("r", "alpha", "a", "b") else "spend",
                "draw": np.arange(count),
                "parameter": name,
                "value": value,
            }
        )
        for name, value in at.items()
    ]
    model = LifetimeValue.from_parameters(pd.concat(rows), horizons_days=(364,))
    buyer = pd.DataFrame(
        {
            "customer_id": ["heavy"],
            "as_of_date": [dt.date(1997, 8, 1)],
            "repeat_purchase_days_count": [26],
            "active_span_days": [216.0],
            "tenure_days": [217.0],
            "first_purchase_amount": [10.0],
            "repeat_purchase_amount": [260.0],
            "observed_revenue_amount": [270.0],
        }
    )
    mean = model.predict(buyer, dt.date(1997, 8, 1))["predicted_orders_mean"].iloc[0]
    assert mean == pytest.approx(25.757, abs=0.002)


ODD_SHOPS = {
    "everyone bought today": groups([0], [0], [0], [500]),
    "nobody came back": groups([0, 0, 0], [0, 0, 0], [100, 200, 300], [500, 300, 200]),
    "one customer": groups([3], [40], [100], [1]),
    "all alike": groups([2], [40], [100], [1000]),
    "one wholesaler": groups(
        [0, 1, 2, 3000], [0, 50, 90, 900], [300, 300, 300, 900], [600, 80, 30, 1]
    ),
}


@FAMILIES
@pytest.mark.parametrize("kind", ODD_SHOPS)
def test_an_odd_shop_gives_a_sane_posterior_or_an_alarm(family, kind):
    frame = ODD_SHOPS[kind]
    draws, health = purchases.fit(frame, family, Sampling("importance"), 1000, 1)
    assert np.isfinite(draws.to_numpy()).all() and (draws.to_numpy() > 0).all()
    if failed_gates(health):
        # Chains take over; MBG/NBD cannot tell a shop of rare buyers from one of lost ones.
        assert kind == "nobody came back" and family != "pareto_nbd"
        return
    rate = draws["r"] / draws["alpha"]  # mean purchases a week
    exposure = (frame["customers_count"] * frame["tenure_days"]).sum() / 7
    bought = (frame["customers_count"] * frame["repeat_purchases_count"]).sum()
    if kind == "everyone bought today":
        # Nothing was learned: the prior, whose medians are 1 and 1/8.
        assert draws["r"].median() == pytest.approx(1.0, rel=0.3)
        assert rate.median() == pytest.approx(1 / 8, rel=0.4)
    elif kind == "nobody came back":
        assert rate.quantile(0.5) < 20 / exposure
    else:
        # While active nobody buys less than over the whole time, nor twenty times as much.
        assert 0.5 * bought / exposure < rate.median() < 20 * bought / exposure


@FAMILIES
def test_a_wholesaler_does_not_make_everyone_a_wholesaler(family):
    draws, _ = purchases.fit(ODD_SHOPS["one wholesaler"], family, Sampling("importance"), 500, 1)
    rate_of_the_silent = draws["r"] / (draws["alpha"] + 300 / 7)
    assert rate_of_the_silent.quantile(0.95) < 0.05


@FAMILIES
@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (groups([2, 1], [80, 7], [70, 70], [1, 4]), r"1 rows have .* Recompute"),
        (groups([2], [0], [70], [3]), r"repeat purchases without a span"),
        (groups([0], [7], [70], [3]), r"a span without repeat purchases"),
        (groups([-1], [0], [70], [3]), r"1 rows have a negative count"),
        (groups([1], [np.nan], [70], [3]), r"active_span_days is NULL in 1 rows"),
        (groups([1], [7], [np.inf], [3]), r"1 rows have an infinite count or time"),
        (groups([1], [7], [70], [0]), r"hold no customer"),
        (groups([1.5], [7], [70], [1]), r"holds fractions where whole numbers are due"),
        (groups([], [], [], []), r"hold no customer"),
        (groups([1], [7], [70], [1]).drop(columns="tenure_days"), r"no column tenure_days"),
    ],
)
def test_impossible_histories_are_refused_by_name(family, broken, message):
    with pytest.raises(ValueError, match=message):
        purchases.fit(broken, family, Sampling("importance"), 10, 1)
