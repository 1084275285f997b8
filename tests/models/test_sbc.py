"""The calibration study in small: it passes right posteriors and catches wrong ones.

Add here what `benchmarks/sbc.py` must be able to see.
The study itself, 200 shops of each family, is committed in `benchmarks/results/sbc.json`.
"""

import numpy as np
import pandas as pd
import pytest

from benchmarks import sbc
from benchmarks.purchase_data import future_purchases, mean_purchases, simulate
from models_py.lifetime_value import purchases

COUNT = 60


@pytest.fixture(scope="module")
def reference():
    return sbc.uniform_deviations(COUNT, 4000)


def test_the_joint_band_holds_as_often_as_it_says(reference):
    generator = np.random.default_rng(8)
    families = generator.random((400, 9, COUNT))
    held = [
        all(
            (np.searchsorted(reference, one, side="right") + 1) / (len(reference) + 1) > 0.05 / 9
            for one in sbc.largest_deviation(family)
        )
        for family in families
    ]
    assert 0.92 <= np.mean(held) <= 0.985


@pytest.mark.parametrize("kind", ["too narrow", "too wide", "shifted"])
def test_wrong_posteriors_leave_the_band(reference, kind):
    generator = np.random.default_rng(9)
    ranks = {
        "too narrow": generator.beta(0.5, 0.5, COUNT),
        "too wide": generator.beta(2.5, 2.5, COUNT),
        "shifted": generator.beta(1.0, 2.0, COUNT),
    }[kind]
    right = generator.random(COUNT)
    verdict = sbc.judge(pd.DataFrame({"wrong": ranks, "right": right}), reference, 2)
    assert verdict["is_within_band"].tolist() == [False, True]


@pytest.mark.parametrize("family", purchases.MODELS)
def test_simulated_customers_have_the_moments_of_their_family(family):
    at = {"r": 2.0, "alpha": 8.0, "a": 1.0, "b": 3.0, "s": 2.0, "beta": 40.0}
    generator = np.random.default_rng(3)
    whole = simulate(family, at, np.full(200_000, 60.0), generator)
    is_alive = (whole.life > whole.T) & (whole.x < whole.left_after)
    later = future_purchases(whole, 30.0, generator)
    mean = mean_purchases(family, is_alive, whole.rate, whole.leaving, 30.0)
    assert later.mean() == pytest.approx(mean.mean(), abs=5 * later.std() / np.sqrt(len(later)))
    # Up to the end of observation and from its start: the same purchases, counted otherwise.
    at_start = np.ones(len(later), dtype=bool)
    if family == "mbg_nbd":
        at_start = whole.left_after > 0
    expected = mean_purchases(family, at_start, whole.rate, whole.leaving, 60.0)
    assert whole.x.mean() == pytest.approx(
        expected.mean(), abs=5 * whole.x.std() / np.sqrt(len(later))
    )


@pytest.mark.parametrize("family", purchases.MODELS)
def test_ranks_of_a_few_shops_are_not_at_the_ends(family):
    ranks = pd.DataFrame(
        [sbc.rank_one(family, 60, seed, inference="importance")[0] for seed in range(3)]
    )
    assert ranks.shape == (3, 9) and ((ranks > 0) & (ranks < 1)).all(axis=None)
    # Two in a hundred ranks are expected out there.
    assert ((ranks < 0.01) | (ranks > 0.99)).to_numpy().sum() <= 3
