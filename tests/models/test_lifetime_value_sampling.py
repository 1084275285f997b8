"""Sampling: simulated truth is recovered, twice alike, and without a C compiler.

Add here what needs a real posterior.
Likelihoods are tested without sampling in `test_lifetime_value_likelihoods`.
"""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from models_py.lifetime_value import LifetimeValue, Sampling, group_purchases, group_spend, spend
from models_py.posterior import failed_gates
from models_py.simulate.plain import PlainParameters, simulate_purchases

pytestmark = pytest.mark.slow
TRUTH = PlainParameters(r=0.6, alpha=6.0, a=0.8, b=2.4, p=3.0, q=4.0, v=30.0, kappa=1.4)


@pytest.fixture(scope="module")
def groups() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame, _ = simulate_purchases(TRUTH, 5000, 600, 31, horizons_days=())
    return group_purchases(frame), group_spend(frame)


NUTS = Sampling(inference="nuts")


@pytest.fixture(scope="module")
def fitted(groups) -> LifetimeValue:
    """By chains, the reference."""
    return LifetimeValue(random_state=5, draws_kept=2000, sampling=NUTS).fit(*groups)


@pytest.fixture(scope="module")
def approximated(groups) -> LifetimeValue:
    return LifetimeValue(random_state=5, draws_kept=2000).fit(*groups)


def test_known_truth_is_within_the_posterior(fitted):
    draws = fitted.draws_
    truth = pd.Series({name: getattr(TRUTH, name) for name in draws})
    distance = (draws.mean() - truth) / draws.std()
    assert (distance.abs() < 3).all(), distance.to_dict()
    assert len(draws) == 2000


def test_importance_sampling_agrees_with_the_chains(fitted, approximated):
    health = approximated.diagnostics_
    assert all("k_hat" in found for found in health.values()) and approximated.is_healthy_
    chains, weighted = fitted.draws_, approximated.draws_
    sd = chains.std()
    # Chains and weights each know a mean to about 0.04 sd and a 5 % tail to about 0.06 sd.
    assert ((weighted.mean() - chains.mean()).abs() / sd < 0.15).all()
    assert ((weighted.std() / sd - 1).abs() < 0.1).all()
    for level in (0.05, 0.95):
        apart = (weighted.quantile(level) - chains.quantile(level)).abs() / sd
        assert (apart < 0.25).all(), (level, apart.to_dict())


def test_weights_that_cannot_be_trusted_fall_back_to_chains(groups, monkeypatch):
    from models_py.lifetime_value import sampler

    health = {"k_hat": 0.9, "ess_bulk_min": 4000.0}
    monkeypatch.setattr(sampler, "_by_importance", lambda *_: (pd.DataFrame(), health))
    short = Sampling(draws=60, tune=60)
    _, found = spend.fit(groups[1], short, 50, 1)
    assert "rhat_max" in found and "k_hat" not in found


def test_sampling_is_healthy_and_measured_per_model(fitted):
    assert fitted.gates_ == {"purchases": [], "spend": []}
    assert fitted.is_healthy_
    assert fitted.diagnostics_["purchases"]["ess_bulk_min"] >= 400


def test_the_same_seed_gives_the_same_draws_from_rows_in_any_order(groups, approximated):
    bought, spent = (frame.sample(frac=1, random_state=9) for frame in groups)
    again = LifetimeValue(random_state=5, draws_kept=2000).fit(bought, spent)
    pd.testing.assert_frame_equal(again.draws_, approximated.draws_)


def test_a_short_run_fails_the_gates_and_says_why(groups):
    short = Sampling("nuts", draws=60, tune=60)
    model = LifetimeValue(random_state=5, draws_kept=100, sampling=short).fit(*groups)
    assert not model.is_healthy_
    assert any("ess_bulk_min" in failure for failure in model.gates_["purchases"])


def test_first_orders_of_another_kind_are_left_out_of_the_fit(groups):
    spent = groups[1].copy()
    changed = np.exp(np.random.default_rng(2).normal(3.0, 1.2, len(spent)))
    spent["log_amount_sum"] -= spent["first_log_amount_sum"]
    spent["first_amount_sum"] = changed * spent["customers_count"]
    spent["first_log_amount_sum"] = np.log(changed) * spent["customers_count"]
    spent["log_amount_sum"] += spent["first_log_amount_sum"]
    draws, health = spend.fit(spent, Sampling(), 400, 3)
    assert health["first_order_used"] == 0.0
    assert "kappa" not in draws
    assert abs(draws["p"].mean() - TRUTH.p) < 4 * draws["p"].std()


def test_a_measure_that_is_not_a_number_fails_its_gate():
    health = {
        "rhat_max": np.nan,
        "ess_bulk_min": 900.0,
        "ess_tail_min": 900.0,
        "divergences": 0.0,
        "ebfmi_min": 0.9,
    }
    assert failed_gates(health) == ["rhat_max is nan, must be <= 1.01"]


def test_fitting_needs_no_compiler_on_the_path(tmp_path):
    script = """
import numpy as np, pandas as pd, shutil
assert not any(map(shutil.which, ("gcc", "cc", "g++", "clang")))
from models_py.lifetime_value import Sampling, purchases
bought = pd.DataFrame({"repeat_purchases_count": [0, 1, 3], "active_span_days": [0, 30, 200],
                       "tenure_days": [300, 300, 300], "customers_count": [50, 20, 10]})
short = Sampling("nuts", draws=50, tune=50, chains=2)
draws, _ = purchases.fit(bought, "mbg_nbd", short, 50, 1)
print("fitted", len(draws))
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={
            "PATH": str(tmp_path),
            "HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert "fitted 50" in run.stdout
