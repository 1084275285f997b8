"""CDNOW, first 39 weeks: our likelihoods and posteriors against the published figures.

Add here a comparison with a figure that someone else has published on this sample.
Recovery of simulated truth is in `test_lifetime_value_sampling`.
"""

import numpy as np
import pandas as pd
import pytest

from benchmarks.cdnow import customers
from benchmarks.cdnow import repeat_buyers as buyers_of
from models_py.lifetime_value import Sampling, group_purchases, purchases, spend_means
from models_py.posterior import failed_gates


@pytest.fixture(scope="module")
def cdnow(test_data) -> pd.DataFrame:
    return customers(test_data)


@pytest.fixture(scope="module")
def repeat_buyers(cdnow) -> pd.DataFrame:
    return buyers_of(cdnow)


@pytest.mark.parametrize(
    ("model", "published", "log_likelihood"),
    [
        ("mbg_nbd", (0.525, 6.183, 0.891, 1.614), -9582.14),
        ("bg_nbd", (0.243, 4.414, 0.793, 2.426), -9582.43),
    ],
)
def test_log_likelihood_at_published_estimates(cdnow, model, published, log_likelihood):
    assert len(cdnow) == 2357
    assert cdnow["repeat_purchase_days_count"].sum() == 2457
    data = purchases.statistics(group_purchases(cdnow), model)
    assert purchases.log_likelihood(data, *published) == pytest.approx(log_likelihood, abs=0.005)


def test_grouped_and_ungrouped_purchases_have_the_same_log_likelihood(cdnow):
    single = cdnow.drop(columns="repeat_amount_sum").rename(
        columns={"repeat_purchase_days_count": "repeat_purchases_count"}
    )
    single["customers_count"] = 1
    grouped = group_purchases(cdnow)
    assert len(grouped) < len(single) / 2
    at = (0.525, 6.183, 0.891, 1.614)
    together = purchases.log_likelihood(purchases.statistics(grouped), *at)
    apart = purchases.log_likelihood(purchases.statistics(single), *at)
    assert together == pytest.approx(apart, rel=1e-9)


def test_published_spend_log_likelihood_on_946_means(repeat_buyers):
    assert len(repeat_buyers) == 946
    data = spend_means.statistics(repeat_buyers)
    in_dollars = data | {"mean": data["mean"] * data["unit"]}
    at = spend_means.log_likelihood(in_dollars, 6.25, 3.74, 15.44)
    assert at == pytest.approx(-4055.92, abs=0.01)


@pytest.mark.slow
def test_bg_nbd_posterior_holds_the_published_estimates(cdnow):
    draws, health = purchases.fit(group_purchases(cdnow), "bg_nbd", Sampling(), 500, 1)
    assert not failed_gates(health)
    published = pd.Series({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426})
    distance = (draws.mean() - published) / draws.std()
    assert (distance.abs() < 2).all(), distance.to_dict()


@pytest.mark.slow
def test_gamma_gamma_posterior_holds_the_published_estimates(repeat_buyers):
    draws, health = spend_means.fit(repeat_buyers, Sampling(), 500, 1)
    assert not failed_gates(health)
    published = pd.Series({"p": 6.25, "q": 3.74, "v": 15.44})
    distance = (draws.mean() - published) / draws.std()
    assert (distance.abs() < 2).all(), distance.to_dict()
    assert np.isfinite(draws.to_numpy()).all()
