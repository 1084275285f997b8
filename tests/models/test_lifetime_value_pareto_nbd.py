"""The Pareto/NBD likelihood against published figures, adaptive quadrature and simulated lives.

Add here what is true of exponential lifetimes with gamma heterogeneity.
The models whose customers leave at a purchase are in `test_lifetime_value_likelihoods`.
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate

from benchmarks.cdnow import customers
from models_py.lifetime_value import group_purchases, pareto_nbd, purchases

PUBLISHED = (0.553, 10.578, 0.606, 11.669)


def history(x, t_x, tenure):
    return {"x": np.array([float(x)]), "t_x": np.array([t_x]), "T": np.array([tenure])}


def test_log_likelihood_of_cdnow_at_the_published_estimates(test_data):
    data = purchases.statistics(group_purchases(customers(test_data)), "pareto_nbd")
    at = pareto_nbd.log_likelihood(data, *PUBLISHED)
    assert at == pytest.approx(-9594.98, abs=0.005)


def test_published_conditional_expectation():
    expected = pareto_nbd.expected_purchases(history(26, 30.857, 31.0), 52.0, *PUBLISHED)
    assert expected[0] == pytest.approx(25.456, abs=0.002)


def test_odds_agree_with_adaptive_quadrature():
    generator = np.random.default_rng(0)
    for _ in range(200):
        r, alpha, s, beta = np.exp(generator.normal([-0.5, 1, -0.5, 2], [1, 1.5, 1, 1.5]))
        x, tenure = generator.choice([0, 1, 3, 10, 50, 300]), generator.uniform(0.1, 400)
        t_x = 0.0 if x == 0 else generator.uniform(0, tenure)
        low, high = np.log(alpha + t_x), np.log(alpha + tenure)

        def scaled(u, r=r, alpha=alpha, s=s, beta=beta, x=x, t_x=t_x, low=low):
            beta_tau = beta - alpha + np.exp(u)
            return np.exp(-(r + x) * (u - low) + u) * ((beta + t_x) / beta_tau) ** (s + 1)

        cuts = low + (high - low) * np.array([0, 1e-3, 1e-2, 0.05, 0.2, 1])
        whole = sum(
            integrate.quad(scaled, a, b, epsabs=0, epsrel=1e-12, limit=300)[0]
            for a, b in pairwise(cuts)
        )
        exact = (
            np.log(s * whole)
            - (r + x) * low
            - (s + 1) * np.log(beta + t_x)
            + (r + x) * high
            + s * np.log(beta + tenure)
        )
        found = pareto_nbd.log_gone_to_alive(history(x, t_x, tenure), r, alpha, s, beta)[0]
        assert found == pytest.approx(exact, abs=1e-10)


def test_alive_and_expected_purchases_agree_with_simulated_lives():
    r, alpha, s, beta = 0.8, 6.0, 0.9, 20.0
    generator, lives, tenure, ahead = np.random.default_rng(1), 2_000_000, 30.0, 20.0
    rate = generator.gamma(r, 1 / alpha, lives)
    life = generator.exponential(1 / generator.gamma(s, 1 / beta, lives))
    # Two purchases in all, the last one about week 10: exact histories are too rare to count.
    bought = generator.poisson(rate * np.minimum(life, tenure)) == 2
    last = np.minimum(life, tenure) * np.sqrt(generator.random(lives))
    like = bought & (np.abs(last - 10.0) < 0.5)
    assert like.sum() > 1_000
    alive = (life > tenure)[like].mean()
    bounds = 4 * np.sqrt(0.25 / like.sum())
    known = history(2, 10.0, tenure)
    assert pareto_nbd.alive_probability(known, r, alpha, s, beta)[0] == pytest.approx(
        alive, abs=bounds
    )
    later = generator.poisson(rate * np.clip(life - tenure, 0, ahead))[like]
    assert pareto_nbd.expected_purchases(known, ahead, r, alpha, s, beta)[0] == pytest.approx(
        later.mean(), abs=4 * later.std() / np.sqrt(like.sum())
    )


def test_a_customer_seen_just_now_is_alive():
    probability = pareto_nbd.alive_probability(history(3, 12.0, 12.0), *PUBLISHED)
    assert probability[0] == pytest.approx(1.0, abs=1e-12)
