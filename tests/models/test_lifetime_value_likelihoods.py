"""The likelihoods against integrals done numerically, the grouping, and what is refused.

Add here a property of a likelihood that needs no sampling.
Published figures are in `test_lifetime_value_cdnow`.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from models_py.lifetime_value import group_purchases, group_spend, purchases, spend, spend_check
from models_py.simulate.plain import PlainParameters, simulate_purchases

TRUTH = PlainParameters(r=0.6, alpha=6.0, a=0.8, b=2.4, p=3.0, q=4.0, v=30.0, kappa=1.4)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return simulate_purchases(TRUTH, 4000, 500, 11, horizons_days=())[0]


def _group(x: int, span: float, tenure: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "repeat_purchases_count": [x],
            "active_span_days": [span],
            "tenure_days": [tenure],
            "customers_count": [1],
        }
    )


@pytest.mark.parametrize("model", ["mbg_nbd", "bg_nbd"])
@pytest.mark.parametrize(("x", "span", "tenure"), [(0, 0, 0), (0, 0, 70), (3, 42, 70), (1, 7, 7)])
def test_purchase_likelihood_equals_the_integral_over_rate_and_dropout(model, x, span, tenure):
    r, alpha, a, b = 0.7, 5.0, 0.9, 2.2
    chances = x + 1 if model == "mbg_nbd" else x
    t_x, end = span / 7, tenure / 7

    # Gauss quadrature under the priors: gamma by Laguerre, beta by Jacobi, no sum of our own.
    nodes, rate_weight = special.roots_genlaguerre(80, r - 1)
    rate = nodes / alpha
    nodes, dropout_weight = special.roots_jacobi(80, b - 1, a - 1)
    dropout = ((nodes + 1) / 2)[:, None]
    likelihood = (1 - dropout) ** chances * rate**x * np.exp(-rate * end)
    if chances:
        likelihood = likelihood + dropout * (1 - dropout) ** (chances - 1) * (
            rate**x * np.exp(-rate * t_x)
        )
    weights = np.outer(dropout_weight / dropout_weight.sum(), rate_weight / rate_weight.sum())
    integral = np.sum(weights * likelihood)

    data = purchases.statistics(_group(x, span, tenure), model)
    assert np.exp(purchases.log_likelihood(data, r, alpha, a, b)) == pytest.approx(
        integral, rel=1e-6
    )


def test_purchase_likelihood_stays_finite_for_extreme_histories():
    frame = pd.concat([_group(900, 3500, 3500), _group(900, 10, 9000), _group(0, 0, 9000)])
    data = purchases.statistics(frame)
    for point in [(0.01, 0.01, 1e-4, 1e3), (50.0, 1e3, 20.0, 0.01)]:
        assert np.isfinite(purchases.log_likelihood(data, *point))


def test_purchase_groups_count_every_customer(customers):
    whole = customers.assign(
        tenure_days=customers["tenure_days"].round(-1),
        active_span_days=np.minimum(
            customers["active_span_days"].round(-1), customers["tenure_days"].round(-1)
        ),
    )
    grouped = group_purchases(whole)
    assert grouped["customers_count"].sum() == len(customers)
    assert len(grouped) < len(customers) / 2


def test_impossible_purchase_histories_are_refused():
    with pytest.raises(ValueError, match=r"purchase groups: 1 rows .* Recompute"):
        purchases.statistics(_group(2, 80, 70))
    with pytest.raises(ValueError, match="unknown; use one of mbg_nbd, bg_nbd, pareto_nbd"):
        purchases.statistics(_group(2, 8, 70), "pareto")


def test_a_prospect_cannot_be_grouped(customers):
    prospects = customers.head(3).assign(repeat_purchase_days_count=[1.0, np.nan, 0.0])
    with pytest.raises(ValueError, match=r"repeat_purchase_days_count is NULL in 1 rows"):
        group_purchases(prospects)


def test_spend_likelihood_equals_the_integral_over_the_level():
    p, q, v, kappa = 2.5, 3.5, 40.0, 1.3
    amounts = np.array([31.0, 18.0, 25.0])
    frame = pd.DataFrame(
        {
            "repeat_purchases_count": [2],
            "customers_count": [1],
            "first_amount_sum": amounts[0],
            "repeat_amount_sum": amounts[1:].sum(),
            "first_log_amount_sum": np.log(amounts[0]),
            "log_amount_sum": np.log(amounts).sum(),
        }
    )

    def integrand(nu: float) -> float:
        scale = np.array([kappa, 1.0, 1.0]) / nu
        return np.prod(stats.gamma.pdf(amounts, p, scale=scale)) * stats.gamma.pdf(
            nu, q, scale=1 / v
        )

    integral, _ = integrate.quad(integrand, 0, 2)
    data = spend.statistics(frame)
    unit = data["unit"]
    # Amounts are held in units of their geometric mean, so each density carries one factor.
    log_density = spend.log_likelihood(data, p, q, v / unit, kappa) - 3 * np.log(unit)
    assert np.exp(log_density) == pytest.approx(integral, rel=1e-6)


def test_binning_spend_moves_the_log_likelihood_by_less_than_one(customers):
    at = (TRUTH.p, TRUTH.q, TRUTH.kappa)

    def log_likelihood(bins: int) -> float:
        data = spend.statistics(group_spend(customers, bins))
        return spend.log_likelihood(data, *at[:2], TRUTH.v / data["unit"], at[2])

    exact = log_likelihood(10_000_000)
    assert abs(log_likelihood(20) - exact) < 1.0
    assert len(group_spend(customers, 20)) < 0.6 * len(customers)


def test_spend_is_the_same_in_another_currency(customers):
    other = customers.assign(
        first_purchase_amount=customers["first_purchase_amount"] * 1000,
        repeat_purchase_amount=customers["repeat_purchase_amount"] * 1000,
        first_purchase_log_amount=customers["first_purchase_log_amount"] + np.log(1000),
        purchase_log_amount_sum=customers["purchase_log_amount_sum"]
        + np.log(1000) * (customers["repeat_purchase_days_count"] + 1),
    )
    here, there = (spend.statistics(group_spend(frame, 10**7)) for frame in (customers, other))
    assert there["unit"] == pytest.approx(1000 * here["unit"])
    point = (2.0, 3.0, 4.0, 1.2)
    assert spend.log_likelihood(there, *point) == pytest.approx(
        spend.log_likelihood(here, *point), rel=1e-9
    )


def test_first_orders_of_the_same_kind_are_exchangeable_up_to_scale(customers):
    check = spend_check.first_order_check(group_spend(customers))
    assert check["is_exchangeable"] == 1.0
    assert check["shape_ratio"] == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize("kind", ["starter box at one price", "unrelated to the customer"])
def test_first_orders_of_another_kind_are_not_exchangeable(customers, kind):
    random = np.random.default_rng(5)
    spread = 0.02 if kind.startswith("starter") else 1.2
    first = 30 * np.exp(spread * random.standard_normal(len(customers)))
    changed = customers.assign(
        first_purchase_amount=first,
        first_purchase_log_amount=np.log(first),
        purchase_log_amount_sum=customers["purchase_log_amount_sum"]
        - customers["first_purchase_log_amount"]
        + np.log(first),
    )
    check = spend_check.first_order_check(group_spend(changed))
    assert check["is_exchangeable"] == 0.0
    if kind.startswith("starter"):
        assert check["distance"] > spend_check.LARGEST_FIRST_DISTANCE
    else:
        assert check["shape_ratio"] < spend_check.FIRST_SHAPE_RANGE[0]


def test_first_orders_of_adventureworks_are_dropped(test_data):
    from benchmarks.amounts import features, purchase_days

    sets = {name: features(days) for name, days in purchase_days(test_data, ("adventureworks",))}
    frame = sets["adventureworks"]
    again = frame[frame["repeat_purchase_days_count"] > 0]
    assert again["first_purchase_amount"].mean() == pytest.approx(1915, abs=1)
    check = spend_check.first_order_check(group_spend(frame))
    assert check["is_exchangeable"] == 0.0
    assert check["distance"] > 0.2


def test_amounts_that_are_not_positive_are_refused(customers):
    broken = customers.head(4).assign(first_purchase_amount=[1.0, 0.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="must be above 0"):
        group_spend(broken)
