"""Twelve cohorts drawn together: group variance is found, small cohorts shrink, nothing collapses.

Add here what the hierarchy over groups must do.
Likelihoods of one population are tested in `test_lifetime_value_likelihoods`.
"""

import numpy as np
import pandas as pd
import pytest

from benchmarks.purchase_data import simulate
from models_py.lifetime_value import Sampling, pooling, purchases

RATE_SCALE, DROPOUT_SCALE = 0.5, 0.4
SIZES = [400] * 10 + [15, 15]
FAMILIES = pytest.mark.parametrize("family", purchases.MODELS)


def cohorts(family="mbg_nbd", seed=4):
    generator = np.random.default_rng(seed)
    offsets = generator.normal(0, RATE_SCALE, len(SIZES))
    # The two small cohorts differ most, so that shrinkage shows.
    offsets[-2:] = 1.0, -1.0
    leaving = generator.normal(0, DROPOUT_SCALE, len(SIZES))
    frames = []
    for i, (size, u, w) in enumerate(zip(SIZES, offsets, leaving, strict=True)):
        share = 1 / (1 + np.exp(-(np.log(0.25 / 0.75) + w)))
        at = {"r": 0.8, "alpha": 6.0 * np.exp(-u), "a": 3.0 * share, "b": 3.0 * (1 - share)}
        at |= {"s": 0.8, "beta": 15.0 * np.exp(w)}
        # Times in steps of 4 weeks, so that there are few rows.
        shop = simulate(family, at, np.full(size, 52.0), generator)
        frame = shop.groups().assign(cohort=f"2024-{i + 1:02d}")
        frame["active_span_days"] = np.ceil(frame["active_span_days"] / 28) * 28
        frames.append(frame)
    keys = ["cohort", "repeat_purchases_count", "active_span_days", "tenure_days"]
    grouped = pd.concat(frames).groupby(keys, as_index=False)["customers_count"].sum()
    return grouped, offsets


@FAMILIES
def test_the_likelihood_of_groups_is_the_sum_of_theirs(family):
    frame, _ = cohorts(family)
    data, names = pooling.statistics(frame, family, "cohort")
    model, generator = purchases.model(family), np.random.default_rng(1)
    single = [
        model.published({}, model.start()[None] + generator.normal(0, 0.3, (1, 4))) for _ in names
    ]
    # What is not the group's own is the population's.
    for one in single:
        one |= {key: single[0][key] for key in ("r", "s") if key in one}
    at = {key: np.concatenate([one[key] for one in single]) for key in single[0]}
    at |= {key: at[key][0] for key in ("r", "s") if key in at}
    apart = sum(
        float(
            model.log_likelihood(
                purchases.statistics(frame[frame["cohort"] == name], family),
                {key: float(value[0]) for key, value in one.items()},
                np,
            )
        )
        for name, one in zip(names, single, strict=True)
    )
    assert pooling.log_likelihood(family, data, at) == pytest.approx(apart, rel=1e-11)


@pytest.mark.slow
def test_group_variance_is_recovered_and_small_cohorts_shrink():
    frame, offsets = cohorts()
    settings = Sampling(draws=400, tune=400, chains=2)
    draws, health = purchases.fit(frame, "mbg_nbd", settings, 800, 1, pool_by="cohort")
    assert health["rhat_max"] < 1.03 and health["divergences"] == 0
    scale = draws["rate_scale"]
    assert scale.quantile(0.01) > 0.2  # a joint mode would put it at 0
    assert scale.quantile(0.05) < np.std(offsets) < scale.quantile(0.95)
    assert draws["dropout_scale"].quantile(0.95) > DROPOUT_SCALE / 2
    names = [f"alpha[2024-{i + 1:02d}]" for i in range(len(SIZES))]
    found = np.log(draws["alpha"].to_numpy()[:, None] / draws[names].to_numpy())
    shared = found.mean(axis=1, keepdims=True) - offsets.mean()
    # Large cohorts are where they were put.
    apart = (found - shared).mean(axis=0) - offsets
    assert np.abs(apart[:10]).max() < 0.35
    # Small ones are pulled towards the others, and less is known of them.
    assert (np.abs(found.mean(axis=0)[10:]) < np.abs(offsets[10:])).all()
    assert found.std(axis=0)[10:].min() > 1.3 * found.std(axis=0)[:10].max()


def test_a_customer_without_a_group_is_refused():
    frame, _ = cohorts()
    frame["cohort"] = frame["cohort"].where(frame.index > 3)
    with pytest.raises(ValueError, match=r"purchase groups.cohort is NULL in 4 rows"):
        purchases.fit(frame, "mbg_nbd", Sampling(), 10, 1, pool_by="cohort")
    with pytest.raises(ValueError, match=r"no column channel"):
        purchases.fit(frame, "mbg_nbd", Sampling(), 10, 1, pool_by="channel")
