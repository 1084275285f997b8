"""The priors of a lifetime-value model as plain values, for the record of a fit.

Add here the priors of a new part of the model. What a prior means is said beside its likelihood, in
`purchases` and `spend`.
"""

from __future__ import annotations

import pandas as pd

from models_py.lifetime_value import covariates, purchases, spend


def stated_priors(
    purchase_model: str, parameters: pd.DataFrame
) -> dict[str, dict[str, tuple[str, float, float]]]:
    """Part of the model to unbounded number to (kind, location, scale), as they are fitted.

    `parameters` are the rows of the fit, which name the effects of its covariates.
    """
    models = {purchase_model: purchases.model(purchase_model), "spend": spend.MODEL}
    stated = {part: dict(model.priors) for part, model in models.items()}
    names = parameters["parameter"].drop_duplicates()
    effects = sorted(name for name in names if name.partition("[")[0] in covariates.EFFECTS)
    return stated | (
        {"covariates": dict.fromkeys(effects, covariates.EFFECT_PRIOR)} if effects else {}
    )
