"""Covariates with known effects are recovered; one without an effect shows none.

Add here what effects on rate and dropout must satisfy.
Groups drawn together are tested in `test_lifetime_value_pooling`.
"""

import numpy as np
import pandas as pd
import pytest

from benchmarks.purchase_data import simulate
from models_py.lifetime_value import Sampling, covariates, purchases

EFFECTS = {"is_online": (0.6, -0.5), "income": (0.25, 0.0)}
FAMILIES = pytest.mark.parametrize("family", purchases.MODELS)
BASE = {"r": 0.8, "alpha": 8.0, "a": 0.8, "b": 2.4, "s": 0.9, "beta": 30.0}


def shop(family, customers):
    generator = np.random.default_rng(6)
    income = covariates.binned(np.exp(generator.normal(0, 1, customers)), 3)
    known = {"is_online": generator.integers(0, 2, customers).astype(float), "income": income}
    frames = []
    for (online, level), size in pd.DataFrame(known).value_counts().items():
        shifts = [EFFECTS["is_online"][k] * online + EFFECTS["income"][k] * level for k in (0, 1)]
        at = {key: BASE[key] for key in purchases.model(family).parameters}
        made = simulate(
            family, covariates.shifted(family, at, *shifts), np.full(size, 60.0), generator
        )
        frame = made.groups().assign(is_online=online, income=level)
        frame["active_span_days"] = np.ceil(frame["active_span_days"] / 14) * 14
        frames.append(frame.assign(tenure_days=np.maximum(420.0, frame["active_span_days"])))
    keys = [name for name in frames[0] if name != "customers_count"]
    return pd.concat(frames).groupby(keys, as_index=False)["customers_count"].sum()


@FAMILIES
def test_known_effects_are_recovered(family):
    frame = shop(family, 12_000)
    draws, health = covariates.fit(frame, family, list(EFFECTS), Sampling("importance"), 1000, 1)
    assert health["k_hat"] < 0.7
    for name, (rate, dropout) in EFFECTS.items():
        for kind, true in (("rate", rate), ("dropout", dropout)):
            found = draws[f"{kind}_effect[{name}]"]
            assert abs(found.mean() - true) < 3.5 * found.std(), (name, kind)
            assert found.std() < 0.25
    assert draws["rate_effect[is_online]"].quantile(0.01) > 0.3
    online = covariates.draws_of_customer(draws, family, {"is_online": 1.0, "income": 0.0})
    assert list(online) == list(purchases.model(family).parameters)
    ratio = (draws["alpha"] / online["alpha"]).to_numpy()
    np.testing.assert_allclose(np.log(ratio), draws["rate_effect[is_online]"])


@FAMILIES
def test_without_effects_the_likelihood_is_the_family_s_own(family):
    frame = shop(family, 500)
    data = covariates.statistics(frame, family, list(EFFECTS))
    model = covariates.model(family, list(EFFECTS))
    at = {name: BASE.get(name, 0.0) for name in model.parameters}
    own = {name: BASE[name] for name in purchases.model(family).parameters}
    exact = purchases.model(family).log_likelihood(purchases.statistics(frame, family), own, np)
    assert model.log_likelihood(data, at, np) == pytest.approx(float(exact), rel=1e-11)
    at["rate_effect[income]"] = 0.3
    assert model.log_likelihood(data, at, np) != pytest.approx(float(exact), abs=0.1)


def test_chains_would_walk_the_same_density():
    data = covariates.statistics(shop("mbg_nbd", 300), "mbg_nbd", list(EFFECTS))
    model = covariates.model("mbg_nbd", list(EFFECTS))
    gradient = model.pymc(data).compile_dlogp(mode="FAST_COMPILE")
    point = model.start() + np.random.default_rng(1).normal(0, 0.3, len(model.priors))
    numeric = [
        (model.log_density(data, point + move) - model.log_density(data, point - move)) / 2e-5
        for move in 1e-5 * np.eye(len(point))
    ]
    found = gradient(dict(zip(model.priors, point, strict=True)))
    np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-4)


def test_binning_keeps_order_and_scale():
    values = np.random.default_rng(2).lognormal(0, 1, 10_000)
    found = covariates.binned(values, 5)
    assert len(np.unique(found)) == 5
    assert found.mean() == pytest.approx(0, abs=1e-9) and found.std() == pytest.approx(1)
    assert (np.diff(found[np.argsort(values)]) >= 0).all()
    assert covariates.binned(np.full(9, 3.0)).tolist() == [0.0] * 9
    with pytest.raises(ValueError, match="1 values that are not finite"):
        covariates.binned(np.array([1.0, np.nan]))


def test_covariates_that_cannot_be_used_are_refused():
    frame = shop("mbg_nbd", 200)
    with pytest.raises(ValueError, match="income is NULL in 2 rows"):
        covariates.statistics(
            frame.assign(income=frame["income"].where(frame.index > 1)), "mbg_nbd", ["income"]
        )
    with pytest.raises(ValueError, match="values that are not numbers"):
        covariates.statistics(frame.assign(income="high"), "mbg_nbd", ["income"])
