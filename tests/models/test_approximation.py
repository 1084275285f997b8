"""The approximation against densities whose moments are known, and its own alarm.

Add here what any density of few dimensions must satisfy.
Likelihoods of purchases and spend are compared with their Markov chains elsewhere.
"""

import numpy as np
import pytest
from scipy import stats

from models_py.approximation import approximate
from models_py.posterior import GATES

K_HAT_MAX = GATES["k_hat"][1]
SHAPES = np.array([2.0, 12.0])


def skewed(point):
    """Logs of two gamma variables, turned by 30 degrees."""
    angle = np.pi / 6
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    logs = turn.T @ point
    return float(np.sum(SHAPES * logs - np.exp(logs)))


def unturned(draws):
    angle = np.pi / 6
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.exp(draws @ turn)


def test_moments_and_quantiles_of_a_skewed_density():
    draws, health = approximate(skewed, np.array([3.0, -2.0]), 8000, 3)
    assert health["k_hat"] < K_HAT_MAX and health["ess"] > 1500
    found = unturned(draws)
    for column, shape in enumerate(SHAPES):
        exact = stats.gamma(shape)
        assert found[:, column].mean() == pytest.approx(exact.mean(), abs=0.06 * exact.std())
        assert found[:, column].std() == pytest.approx(exact.std(), rel=0.06)
        for level in (0.05, 0.5, 0.95):
            measured = np.quantile(found[:, column], level)
            assert exact.cdf(measured) == pytest.approx(level, abs=0.012)


def test_tails_that_the_proposals_do_not_reach_raise_the_alarm():
    def cauchy(point):
        return float(-np.sum(np.log1p(point**2)))

    _, health = approximate(cauchy, np.zeros(2), 1000, 1)
    assert health["k_hat"] > K_HAT_MAX


def test_draws_come_in_random_order_and_repeat_from_the_seed():
    draws, _ = approximate(skewed, np.zeros(2), 2000, 5)
    again, _ = approximate(skewed, np.zeros(2), 2000, 5)
    assert (draws == again).all()
    later = np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]
    assert abs(later) < 4 / np.sqrt(len(draws))


def test_a_start_outside_the_density_is_named():
    with pytest.raises(ValueError, match="not finite at its start"):
        approximate(lambda point: -np.inf, np.zeros(1), 10, 1)
