"""The compiled futures: random numbers, samplers, and each family against brute force.

Add here a promise about `kernels` or `predictive.simulate` that known truth can check.
What a caller of `LifetimeValue.predict` is promised is in `test_lifetime_value_predict`.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from numba import njit
from scipy import integrate, special, stats

from models_py.lifetime_value import (
    elementary,
    expectations,
    keyed_random,
    parameter_sets,
    pareto_nbd,
    paths,
)
from models_py.lifetime_value.keyed_random import kept
from models_py.lifetime_value.predictive import Futures, Histories, simulate

KEY, SEED, STREAM = np.uint64(0xDEADBEEF12345678), np.uint64(42 * 256 + 2), 3
WEEKS = np.array([30, 90, 180, 365]) / 7.0
SPEND = {"p": 3.0, "q": 4.0, "v": 30.0}
FAMILIES = {
    "mbg_nbd": {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614},
    "bg_nbd": {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426},
    "pareto_nbd": {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669},
}


@njit
def many(sampler: int, key, seed, stream: int, count: int, a: float, b: float) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Draws 0, 1, ... of one stream of one customer."""
    drawn = np.empty(count)
    for draw in range(count):
        if sampler == 0:
            drawn[draw] = keyed_random.uniform(keyed_random.words(key, seed, 0, stream, draw)[0])
        elif sampler == 1:
            drawn[draw] = keyed_random.gamma(key, seed, stream, draw, a)
        elif sampler == 2:
            drawn[draw] = keyed_random.beta(key, seed, stream, draw, a, b)
        else:
            drawn[draw] = keyed_random.poisson(key, seed, stream, draw, a)
    return drawn


UNIFORM, GAMMA, BETA, POISSON = range(4)
COUNT = 20_000


@njit
def elementary_of(which: int, at: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """One of the functions of `elementary` at many numbers."""
    found = np.empty(len(at))
    for i in range(len(at)):
        if which == 0:
            found[i] = elementary.exp(at[i])
        elif which == 1:
            found[i] = elementary.expm1(at[i])
        elif which == 2:
            found[i] = elementary.log(at[i])
        elif which == 3:
            found[i] = elementary.log1p(at[i])
        elif which == 4:
            found[i] = elementary.cos_sin(at[i])[0]
        else:
            found[i] = elementary.cos_sin(at[i])[1]
    return found


@njit
def proposed(key, seed, count: int, shape: float) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Gamma variates as order values and amounts make them: one word of a shared block each."""
    left, right, luck = np.empty(count // 2), np.empty(count // 2), np.empty((2, count // 2))
    for i in range(count // 2):
        four = keyed_random.words(key, seed, i // 2, 1, 0)
        left[i], luck[0, i] = keyed_random.split(four[2 * (i % 2)])
        right[i], luck[1, i] = keyed_random.split(four[2 * (i % 2) + 1])
    paths.normals(left, right)
    drawn = np.empty(count)
    for d in range(count):
        z = left[d // 2] if d % 2 == 0 else right[d // 2]
        drawn[d] = keyed_random.gamma_of(z, luck[d % 2, d // 2], key, seed, 2, d, shape)
    return drawn


def futures(
    family: str, history: dict, draws: int, rate: float = 0.1, days=(30, 90, 180, 365), weeks=None
):
    frame = pd.DataFrame([FAMILIES[family] | SPEND] * draws)
    size = len(history["x"])
    known = {name: np.asarray(values, dtype="float64") for name, values in history.items()}
    money = {"first": np.full(size, 20.0), "repeat": 22.5 * known["x"]}
    names = np.array([f"c_{number}" for number in range(size)], dtype=object)
    given = Histories(customer_id=names, **known, **money)
    return simulate(given, frame, np.array(days), rate, family, 11, weeks)


def test_random_words_are_those_of_numpys_philox():
    for counter in ([0, 0, 0], [1, 5, 399], [7, 21, 2**20]):
        # NumPy counts up before it computes.
        start = (counter[0] + (counter[1] << 64) + (counter[2] << 128) - 1) % 2**256
        bits = np.random.Philox(key=np.array([KEY, SEED]), counter=start)
        ours = keyed_random.words(KEY, SEED, *counter)
        assert [int(word) for word in ours] == bits.random_raw(4).tolist()


def test_functions_in_plain_arithmetic_are_those_of_numpy():
    random = np.random.default_rng(2)
    wide = np.concatenate([random.uniform(-700, 700, 20_000), random.normal(0, 1e-4, 20_000)])
    positive = np.concatenate(
        [np.exp(random.uniform(-690, 690, 20_000)), 1.0 + np.abs(wide[20_000:])]
    )
    turns = np.append(random.random(20_000), [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1.0])
    for which, exact, at in (
        (0, np.exp, wide),
        (1, np.expm1, wide),
        (2, np.log, positive),
        (3, np.log1p, np.abs(wide)),
    ):
        np.testing.assert_allclose(elementary_of(which, at), exact(at), rtol=1e-15, atol=0)
    # Angles of NumPy are rounded before their cosine is taken.
    np.testing.assert_allclose(elementary_of(4, turns), np.cos(2 * np.pi * turns), atol=1e-15)
    np.testing.assert_allclose(elementary_of(5, turns), np.sin(2 * np.pi * turns), atol=1e-15)
    # Beyond what doubles hold they stop, finite and positive.
    assert np.isfinite(elementary_of(0, np.array([-1e4, 1e4]))).all()


@pytest.mark.parametrize("shape", [0.3, 1.0, 3.5, 400.0])
def test_gamma_variates_of_shared_blocks_follow_their_law(shape):
    drawn = proposed(KEY, SEED, COUNT, shape)
    assert stats.kstest(drawn, stats.gamma(shape).cdf).pvalue > 0.001
    # Two normal variates come of one pair of words, four gammas of one block.
    for lag in (1, 2, 3):
        assert abs(np.corrcoef(drawn[lag:], drawn[:-lag])[0, 1]) < 0.03


def test_normal_variates_invert_the_normal_distribution():
    words = np.random.default_rng(1).integers(0, 2**64, 20_000, dtype="uint64")
    edges = np.array([0, 2**11, 2**40, 2**63, 2**64 - 1], dtype="uint64")
    for word in np.concatenate([words, edges]):
        chance = keyed_random.uniform(word)
        assert 0.0 < chance < 1.0
        assert keyed_random.normal(chance) == pytest.approx(
            special.ndtri(chance), rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize("shape", [0.02, 0.3, 0.999, 1.0, 3.5, 400.0])
def test_gamma_variates_follow_their_law(shape):
    drawn = many(GAMMA, KEY, SEED, STREAM, COUNT, shape, 0.0)
    assert stats.kstest(drawn, stats.gamma(shape).cdf).pvalue > 0.001


@pytest.mark.parametrize(("a", "b"), [(0.8, 3.4), (0.05, 0.1), (2.0, 30.0), (40.0, 0.5)])
def test_beta_variates_follow_their_law(a, b):
    drawn = many(BETA, KEY, SEED, STREAM, COUNT, a, b)
    # Some of Beta(0.05, 0.1) lies so near 1 that doubles cannot tell it from 1.
    law, below = stats.beta(a, b), drawn[drawn < 1.0 - 1e-12]
    share = law.cdf(1.0 - 1e-12)
    assert len(below) / COUNT == pytest.approx(share, abs=0.015)
    assert stats.kstest(below, lambda x: law.cdf(x) / share).pvalue > 0.001


@pytest.mark.parametrize("mean", [0.01, 0.7, 9.99, 10.01, 60.0, 5000.0])
def test_poisson_variates_follow_their_law(mean):
    drawn = many(POISSON, KEY, SEED, STREAM, COUNT, mean, 0.0)
    assert (drawn == np.round(drawn)).all()
    law = stats.poisson(mean)
    # Randomised PIT: uniform for a discrete law as well.
    luck = np.random.default_rng(2).random(len(drawn))
    pit = law.cdf(drawn - 1) + luck * law.pmf(drawn)
    assert stats.kstest(pit, "uniform").pvalue > 0.001


def test_customers_streams_and_draws_have_nothing_in_common():
    # Neighbouring keys and counters differ in one bit or two: the hardest case.
    sequences = {
        (key, seed, stream): many(UNIFORM, np.uint64(key), np.uint64(seed), stream, 5_000, 0.0, 0.0)
        for key, seed, stream in itertools.product(
            (int(KEY), int(KEY) + 1), (int(SEED), int(SEED) + 256), (0, 1, 5)
        )
    }
    for sequence in sequences.values():
        assert stats.kstest(sequence, "uniform").pvalue > 0.001
        assert abs(np.corrcoef(sequence[1:], sequence[:-1])[0, 1]) < 0.06
    for left, right in itertools.combinations(sequences.values(), 2):
        assert abs(np.corrcoef(left, right)[0, 1]) < 0.06  # 4 standard errors


@pytest.mark.parametrize(("family", "published"), [("bg_nbd", 25.757), ("pareto_nbd", 25.456)])
def test_published_conditional_expectation(family, published):
    history = {"x": [26], "t_x": [30.857], "T": [31.0]}
    found = futures(family, history, 50_000, days=(52 * 7,))
    # Parameters are published with three digits.
    assert found.orders_mean[0, 0] == pytest.approx(published, abs=0.002)
    assert found.orders.mean() == pytest.approx(published, abs=0.15)


@pytest.mark.parametrize("draws", [50, 400])
@pytest.mark.parametrize("family", ["mbg_nbd", "bg_nbd"])
def test_expected_orders_are_those_of_the_closed_form(family, draws):
    at = FAMILIES[family]
    history = {"x": [0, 2, 9, 60], "t_x": [0.0, 7.0, 50.0, 51.0], "T": [3.0, 30.0, 52.0, 52.0]}
    found = futures(family, history, draws)
    for i, (x, _, tenure) in enumerate(zip(*history.values(), strict=True)):
        a, b = at["a"], at["b"] + x + (family == "mbg_nbd")
        shape, rate = at["r"] + x, at["alpha"] + tenure
        z = WEEKS / (rate + WEEKS)
        # Fader, Hardie & Lee (2005), eq. 10, less P(alive), with b + n for b + x.
        gone = ((1.0 - z) ** shape) * special.hyp2f1(shape, b, a + b - 1.0, z)
        exact = (a + b - 1.0) / (a - 1.0) * (1.0 - gone)
        expected = found.orders_mean[i] / found.alive_probability[i]
        np.testing.assert_allclose(expected, exact, rtol=0.004 if draws == 50 else 0.0005)


def _plain_futures(family: str, x: float, tenure: float, size: int) -> np.ndarray:
    """Orders up to each horizon (path, horizon) of one who is there, order by order in NumPy."""
    random, at = np.random.default_rng(13), FAMILIES[family]
    rate = random.gamma(at["r"] + x, 1 / (at["alpha"] + tenure), size)
    end, leaves = np.full(size, np.inf), np.zeros(size)
    if family == "pareto_nbd":
        end = random.exponential(size=size) / random.gamma(at["s"], 1 / (at["beta"] + tenure), size)
    else:
        leaves = random.beta(at["a"], at["b"] + x + (family == "mbg_nbd"), size)
    clock, orders, active = np.zeros(size), np.zeros((size, len(WEEKS))), np.ones(size, dtype=bool)
    while active.any():
        clock += random.exponential(size=size) / rate
        active &= clock < np.minimum(end, WEEKS[-1])
        orders += active[:, None] & (clock[:, None] < WEEKS)
        active &= random.random(size) >= leaves
    return orders


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize(("x", "tenure"), [(0, 20.0), (3, 40.0), (25, 52.0), (150, 52.0)])
def test_predictive_distributions_are_those_of_a_plain_simulation(family, x, tenure):
    size = 20_000
    found = futures(family, {"x": [x], "t_x": [tenure], "T": [tenure]}, size)
    plain = _plain_futures(family, x, tenure, size)
    plain[np.random.default_rng(14).random(size) >= found.alive_probability[0]] = 0.0
    random = np.random.default_rng(15)
    shape, rate = SPEND["q"] + SPEND["p"] * x, SPEND["v"] + 22.5 * x
    nu = random.gamma(shape, 1 / rate, size)
    steps = np.diff(plain, axis=1, prepend=0.0)
    money = np.cumsum(random.gamma(np.maximum(SPEND["p"] * steps, 1e-12)) / nu[:, None], axis=1)
    for h in range(len(WEEKS)):
        # Ties make the test of Kolmogorov and Smirnov careful, never wrong.
        assert stats.ks_2samp(found.orders[0, h], plain[:, h]).pvalue > 0.0005
        assert stats.ks_2samp(found.revenue[0, h], np.round(money[:, h], 3)).pvalue > 0.0005
    assert stats.ks_2samp(found.order_value[0], SPEND["p"] / nu).pvalue > 0.0005
    # Orders of different steps hang together as they do in truth; by ranks, because the plain
    # correlation of such skewed counts is itself uncertain by 0.015.
    for h in range(1, len(WEEKS)):
        first, later = found.orders[0, 0], found.orders[0, h] - found.orders[0, h - 1]
        known = stats.spearmanr(plain[:, 0], steps[:, h])[0]
        assert stats.spearmanr(first, later)[0] == pytest.approx(known, abs=0.04)


# Lifetimes far shorter than times between orders: beta is far below alpha.
SHORT_LIVES = [
    ((0, 0.0, 52.0), (0.5, 20.0, 0.2, 0.05), 0.1575),
    ((0, 0.0, 104.0), (1.0, 50.0, 0.2, 0.1), 0.1067),
    ((0, 0.0, 104.0), (1.0, 50.0, 0.2, 0.03), 0.0786),
    ((0, 0.0, 104.0), (1.0, 100.0, 0.3, 0.01), 0.0322),
]


@pytest.mark.parametrize(("history", "parameters", "exact"), SHORT_LIVES)
def test_alive_in_pareto_nbd_where_lives_are_short(history, parameters, exact):
    found = expectations.pareto_alive(*map(float, (*history, *parameters)))
    assert found == pytest.approx(exact, abs=6e-5)
    data = {name: np.array([value]) for name, value in zip(("x", "t_x", "T"), history, strict=True)}
    assert found == pytest.approx(pareto_nbd.alive_probability(data, *parameters)[0], rel=1e-10)


@pytest.mark.parametrize(
    ("history", "parameters"),
    [
        ((26, 30.857, 31.0), (0.553, 10.578, 0.606, 11.669)),
        ((0, 0.0, 78.0), (0.553, 10.578, 0.606, 11.669)),
        ((300, 60.0, 104.0), (1.5, 2.0, 3.0, 40.0)),
        ((3, 5.0, 200.0), (0.3, 8.0, 1.0, 2.0)),
        ((1, 0.5, 1.0), (1.0, 30.0, 20.0, 300.0)),
        *((history, parameters) for history, parameters, _ in SHORT_LIVES),
        ((4, 0.0, 104.0), (1.0, 50.0, 0.1, 0.03)),
    ],
)
def test_alive_in_pareto_nbd_agrees_with_adaptive_quadrature(history, parameters):
    (x, t_x, tenure), (r, alpha, s, beta) = history, parameters

    def integrand(tau: float) -> float:
        return np.exp(
            (r + x) * np.log((alpha + tenure) / (alpha + tau))
            + s * np.log((beta + tenure) / (beta + tau))
            - np.log(beta + tau)
        )

    ratio = s * integrate.quad(integrand, t_x, tenure, limit=500, points=[t_x + 0.01, t_x + 0.1])[0]
    found = expectations.pareto_alive(*map(float, (x, t_x, tenure, r, alpha, s, beta)))
    assert found == pytest.approx(1.0 / (1.0 + ratio), rel=1e-6)


def _lives(family: str, size: int, random: np.random.Generator) -> tuple[dict, dict]:
    """Customers who live by the family's own story, and what they then do."""
    at = FAMILIES[family]
    rate = random.gamma(at["r"], 1 / at["alpha"], size)
    tenure = random.uniform(5, 90, size)
    if family == "pareto_nbd":
        life = random.exponential(size=size) / random.gamma(at["s"], 1 / at["beta"], size)
        seen = np.minimum(life, tenure)
        x = random.poisson(rate * seen)
        t_x = np.where(x > 0, seen * random.random(size) ** (1 / np.maximum(x, 1)), 0.0)
        alive = life > tenure
        left = np.maximum(life - tenure, 0.0)
        orders, before = [], np.zeros(size)
        for end in WEEKS:
            orders.append(random.poisson(rate * (np.minimum(left, end) - before)))
            before = np.minimum(left, end)
        orders = np.cumsum(orders, axis=0).T
    else:
        dropout = random.beta(at["a"], at["b"], size)
        most = np.floor(np.log(random.random(size)) / np.log1p(-dropout))
        most += family == "bg_nbd"  # no chance to leave at the first order
        tried = random.poisson(rate * tenure)
        x = np.minimum(tried, most)
        last = random.beta(np.maximum(x, 1), tried - x + 1)
        t_x = np.where(x > 0, tenure * last, 0.0)
        alive = most > tried if family == "mbg_nbd" else (most > tried) | (tried == 0)
        steps = random.poisson(rate[:, None] * np.diff(WEEKS, prepend=0.0))
        orders = np.minimum(np.cumsum(steps, axis=1), np.maximum(most - tried, 0)[:, None])
        orders = np.where(alive[:, None], orders, 0)
    return {"x": x, "t_x": t_x, "T": tenure}, {"alive": alive, "orders": orders}


@pytest.mark.parametrize("family", list(FAMILIES))
def test_forecasts_come_true_where_customers_live_by_the_model(family):
    history, truth = _lives(family, 20_000, np.random.default_rng(5))
    found = futures(family, history, 40)
    x = history["x"]
    for group in (x == 0, (x > 0) & (x < 4), x >= 4):
        count = group.sum()
        assert count > 500
        pairs = [
            (found.alive_probability[:, None], truth["alive"][:, None]),
            (found.orders_mean, truth["orders"]),
            (found.orders.mean(axis=2), truth["orders"]),
            (found.purchase_probability, truth["orders"] > 0),
        ]
        for forecast, actual in pairs:
            error = (forecast - actual)[group]
            standard = error.std(axis=0) / np.sqrt(count) + 1e-12
            assert (np.abs(error.mean(axis=0)) < 4 * standard).all()
    # The whole distribution, not its mean alone: one draw for each customer ranks like the truth.
    luck = np.random.default_rng(6).random(truth["orders"].shape)
    below = (found.orders < truth["orders"][:, :, None]).sum(axis=2)
    equal = (found.orders == truth["orders"][:, :, None]).sum(axis=2)
    pit = (below + luck * (equal + 1)) / 41
    for h in range(len(WEEKS)):
        assert stats.kstest(pit[:, h], "uniform").pvalue > 0.001


@pytest.mark.parametrize("family", list(FAMILIES))
def test_money_is_discounted_at_the_time_it_comes_in(family):
    history = {"x": [0.0, 6.0], "t_x": [0.0, 20.0], "T": [0.0, 21.0]}
    found = futures(family, history, 40_000, rate=0.5)
    # Exact: simulate single order times of one draw's law, hazards and rates given.
    random = np.random.default_rng(8)
    at, force = FAMILIES[family], np.log(1.5) / 365 * 7
    for i, (x, tenure) in enumerate(zip(history["x"], history["T"], strict=True)):
        rate = random.gamma(at["r"] + x, 1 / (at["alpha"] + tenure), 60_000)
        if family == "pareto_nbd":
            hazard = random.gamma(at["s"], 1 / (at["beta"] + tenure), 60_000)
        else:
            chances = x + (family == "mbg_nbd")
            hazard = rate * random.beta(at["a"], at["b"] + chances, 60_000)
        discounted = np.sum(rate / (hazard + force) * -np.expm1(-(hazard + force) * WEEKS[-1]))
        plain = np.sum(rate / hazard * -np.expm1(-hazard * WEEKS[-1]))
        exact = discounted / plain
        assert found.present_value_mean[i, -1] / found.revenue_mean[i, -1] == pytest.approx(
            exact, abs=0.002
        )
        simulated = found.present_value[i, -1].sum() / found.revenue[i, -1].sum()
        assert simulated == pytest.approx(exact, abs=0.003)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_orders_follow_the_customers_clock_and_discounts_the_calendar(family):
    history = {"x": [6.0, 1.0], "t_x": [20.0, 2.0], "T": [21.0, 2.0]}
    # A busy first month: its 30 days count for 60, and the next 335 for 305.
    busy = np.array([60.0, 365.0]) / 7.0
    found = futures(family, history, 20_000, 0.5, (30, 365), busy)
    same = futures(family, history, 20_000, 0.5, (60, 365))
    for name in ("orders", "revenue", "orders_mean", "revenue_mean", "purchase_probability"):
        np.testing.assert_array_equal(getattr(found, name), getattr(same, name))
    # Order times of the clock, laid on the calendar: day 20 of the busy month is day 10.
    random = np.random.default_rng(9)
    at, force = FAMILIES[family], np.log(1.5) / 365
    times = np.linspace(0.0, 365.0, 3651)
    days = np.interp(times, [0.0, 60.0, 365.0], [0.0, 30.0, 365.0])
    for i, (x, tenure) in enumerate(zip(history["x"], history["T"], strict=True)):
        rate = random.gamma(at["r"] + x, 1 / (at["alpha"] + tenure), 4000) / 7
        if family == "pareto_nbd":
            hazard = random.gamma(at["s"], 1 / (at["beta"] + tenure), 4000) / 7
        else:
            hazard = rate * random.beta(at["a"], at["b"] + x + (family == "mbg_nbd"), 4000)
        intensity = np.mean(rate[:, None] * np.exp(-hazard[:, None] * times), axis=0)
        exact = np.sum(intensity * np.exp(-force * days)) / np.sum(intensity)
        ratio = found.present_value_mean[i, -1] / found.revenue_mean[i, -1]
        assert ratio == pytest.approx(exact, abs=0.003)
        simulated = found.present_value[i, -1].sum() / found.revenue[i, -1].sum()
        assert simulated == pytest.approx(exact, abs=0.005)
    slower = futures(family, history, 400, 0.1, (30, 365), np.array([30.0, 365.0]) / 14.0)
    plain = futures(family, history, 400, 0.1, (30, 365))
    np.testing.assert_array_equal(slower.waiting_days, plain.waiting_days)  # by their own clock
    with pytest.raises(ValueError, match="operational_weeks must be positive and ascending"):
        futures(family, history, 2, 0.1, (30, 365), np.array([50.0, 40.0]))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_new_lapsed_and_very_frequent_customers_get_sensible_numbers(family):
    history = {
        "x": [0, 0, 5, 900, 1],
        "t_x": [0.0, 0.0, 4.0, 103.9, 0.1],
        "T": [0.0, 400.0, 400.0, 104.0, 0.1],
    }
    found: Futures = futures(family, history, 400)
    for name in ("orders_mean", "revenue_mean", "present_value_mean", "purchase_probability"):
        values = getattr(found, name)
        assert np.isfinite(values).all()
        assert (np.diff(values, axis=1) >= 0).all()
    assert (found.present_value <= found.revenue).all()
    assert (found.purchase_probability <= found.alive_probability[:, None] + 1e-12).all()
    assert (found.purchase_probability <= found.orders_mean + 1e-12).all()
    assert found.alive_probability[2] < 0.01
    assert found.alive_probability[3] > 0.9
    at = FAMILIES[family]
    pace = (at["r"] + 900) / (at["alpha"] + 104) * 30 / 7
    assert 0.97 * pace < found.orders_mean[3, 0] < pace
    assert 1 < found.orders_mean[0, -1] / found.orders_mean[0, 0] < 365 / 30
    assert np.isfinite(found.waiting_days).all()


@pytest.mark.parametrize("days", [(365,), (1, 2), (30, 90, 180, 365)])
def test_pareto_purchase_probability_is_the_integral(days):
    at = FAMILIES["pareto_nbd"]
    found = futures("pareto_nbd", {"x": [0, 2], "t_x": [0.0, 8.0], "T": [0.0, 10.0]}, 1, days=days)
    for i, (x, tenure) in enumerate(((0, 0.0), (2, 10.0))):
        shape, rate = at["r"] + x, at["alpha"] + tenure

        def density(t: float, shape=shape, rate=rate, tenure=tenure) -> float:
            stays = ((at["beta"] + tenure) / (at["beta"] + tenure + t)) ** at["s"]
            return shape / rate * (rate / (rate + t)) ** (shape + 1) * stays

        for h, day in enumerate(days):
            exact = found.alive_probability[i] * integrate.quad(density, 0, day / 7)[0]
            assert found.purchase_probability[i, h] == pytest.approx(exact, abs=0.002)


def test_pools_use_their_own_parameters_and_the_population_where_there_are_none():
    draws = pd.DataFrame([FAMILIES["mbg_nbd"] | SPEND] * 50)
    draws["alpha[shop]"] = 60.0
    history = Histories(
        customer_id=np.array(["one"], dtype=object),
        **{name: np.array([value]) for name, value in (("x", 2.0), ("t_x", 9.0), ("T", 10.0))},
        first=np.array([20.0]),
        repeat=np.array([45.0]),
    )

    def expected(pool: np.ndarray | None, given: pd.DataFrame) -> np.ndarray:
        pooled = Histories(**(vars(history) | {"pool": pool}))
        return simulate(pooled, given, np.array([90]), 0.1, "mbg_nbd", 1).orders_mean

    alone = expected(None, draws)
    slow = expected(None, draws.assign(alpha=60.0))
    assert alone > 1.5 * slow
    assert expected(np.array(["shop"], dtype=object), draws) == slow
    assert expected(np.array(["web"], dtype=object), draws) == alone


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_pool_that_was_not_fitted_differs_as_pools_do(family):
    draws = pd.DataFrame([FAMILIES[family] | SPEND] * 2000)
    draws["alpha[shop]"] = 60.0
    scaled = draws.assign(rate_scale=0.8, dropout_scale=0.6)
    pools = np.array(["web", "shop", "web", "post"], dtype=object)
    # Customers of a new pool are new: what they do hangs on the parameters alone.
    arrays = {name: np.zeros(4) for name in ("x", "t_x", "T", "repeat")} | {
        "first": np.full(4, 20.0)
    }
    whole = Histories(np.array(list("abcd"), dtype=object), **arrays, pool=pools)

    def simulated(part: Histories, given: pd.DataFrame, seed: int = 1) -> Futures:
        return simulate(part, given, np.array([90]), 0.1, family, seed)

    plain, found = simulated(whole, draws), simulated(whole, scaled)
    orders = found.orders_mean[:, 0]
    assert orders[1] == plain.orders_mean[1, 0]  # fitted: its own
    # A skewed spread around the population's rate has a higher mean.
    assert (orders[[0, 2, 3]] > 1.02 * plain.orders_mean[[0, 2, 3], 0]).all()
    # The median time to the next order hangs on rates alone: one pool, one set of offsets.
    assert found.waiting_days[0] == found.waiting_days[2] != found.waiting_days[3]
    assert not np.array_equal(simulated(whole, scaled, 2).orders_mean, found.orders_mean)
    alone = simulated(whole.part(2, 4), scaled)
    np.testing.assert_array_equal(alone.orders_mean, found.orders_mean[2:])
    np.testing.assert_array_equal(alone.revenue, found.revenue[2:])


def test_offsets_of_a_new_pool_are_those_of_the_hierarchy():
    size = 40_000
    for family in FAMILIES:
        draws = pd.DataFrame([FAMILIES[family]] * size).assign(rate_scale=0.8, dropout_scale=0.6)
        at = {name: draws[name].to_numpy() for name in draws}
        own = parameter_sets.of_new_pool(at, at, "channel=web", 1)
        rate = np.log(at["alpha"] / own["alpha"])
        if family == "pareto_nbd":
            leaving = np.log(own["beta"] / at["beta"])
        else:
            np.testing.assert_allclose(own["a"] + own["b"], at["a"] + at["b"])
            leaving = np.log(own["a"] / own["b"]) - np.log(at["a"] / at["b"])
        for offset, scale in ((rate, 0.8), (leaving, 0.6)):
            assert stats.kstest(offset, stats.norm(0, scale).cdf).pvalue > 0.001
        assert abs(np.corrcoef(rate, leaving)[0, 1]) < 0.02


def test_code_that_cannot_be_kept_is_compiled_all_the_same():
    space: dict = {}
    exec("def doubled(number):\n    return 2 * number", space)  # has no file to keep code beside
    assert kept(space["doubled"])(21) == 42
