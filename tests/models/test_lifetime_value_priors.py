"""The priors on record are those that the fit used, whatever it decided on the way.

Add here a part of the model that has priors. What a prior does to a fit is tested beside its
likelihood.
"""

import pandas as pd
import pytest

from models_py.lifetime_value import (
    LifetimeValue,
    Sampling,
    group_spend,
    pooling,
    purchases,
    spend,
    stated_priors,
)
from tests.models.test_lifetime_value_pooling import cohorts
from tests.models.test_lifetime_value_spend_checks import amounts


def of_draws(draws: pd.DataFrame, family: str = "mbg_nbd") -> LifetimeValue:
    model = LifetimeValue(purchase_model=family)
    model.draws_, model.diagnostics_ = draws, {}
    return model


@pytest.mark.parametrize("family", purchases.MODELS)
def test_a_pooled_fit_states_the_distributions_of_its_pymc_model(family):
    groups, _ = cohorts(family)
    data, names = pooling.statistics(groups, family, "cohort")
    with pooling._stated(family, len(names), data) as pymc_model:
        used = {}
        for variable in pymc_model.free_RVs:
            location, scale = variable.owner.op.dist_params(variable.owner)
            kind = type(variable.owner.op).__name__.removesuffix("RV").lower()
            if not variable.name.endswith("_raw"):
                used[variable.name] = kind, float(location.eval()), float(scale.eval())
            else:
                used[variable.name.replace("_raw", "_offset")] = None
    columns = ["r", "alpha", *pooling.SCALES, "kappa"]
    stated = stated_priors(of_draws(pd.DataFrame(columns=columns), family))[family]
    assert set(stated) == set(used)
    for name, found in used.items():
        if found is None:
            kind, *standard = stated[name]
            assert kind == f"normal, times {name.replace('_offset', '_scale')}"
            assert standard == [0.0, 1.0]
        else:
            kind, location, scale = stated[name]
            assert (kind.replace("_", ""), location, scale) == found


@pytest.mark.parametrize(
    ("elasticity", "unrelated_first"), [(0.0, False), (0.6, False), (0.0, True)]
)
def test_spend_states_the_priors_of_the_model_that_was_sampled(
    monkeypatch, elasticity, unrelated_first
):
    given = {}

    def sampled(model, data, settings, draws_kept, random_state):
        given.update(model=model, data=data)
        return pd.DataFrame(1.0, range(draws_kept), model.parameters), {"k_hat": 0.1}

    monkeypatch.setattr(spend, "sample", sampled)
    groups = group_spend(amounts(4000, 3, elasticity, unrelated_first))
    draws, health = spend.fit(groups, Sampling(), 5, 1)
    model = of_draws(draws)
    model.diagnostics_ = {"spend": health}
    stated = stated_priors(model)["spend"]
    used = dict(given["model"].priors)
    assert any(name.startswith("log_step") for name in stated) is (elasticity > 0)
    # Where first orders are left out, their factor meets no data and no prediction.
    if unrelated_first:
        assert given["data"]["first_weight"] == 0.0
        del used["log_kappa"]
    assert stated.pop("amount_unit") == ("constant", float(given["data"]["unit"]), 0.0)
    assert stated == used
