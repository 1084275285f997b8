"""The priors of a lifetime-value model as plain values, for the record of a fit.

Add here the priors of a new part of the model. What a prior means is said beside its likelihood, in
`purchases`, `pooling` and `spend`.
"""

from __future__ import annotations

from models_py.lifetime_value import covariates, pooling, purchases, spend
from models_py.lifetime_value.value import LifetimeValue

Prior = tuple[str, float, float]


def stated_priors(model: LifetimeValue) -> dict[str, dict[str, Prior]]:
    """Part of the model to number to (kind, location, scale), as they were fitted.

    Read off the draws, because the fit itself decides on what it finds: first orders may be left
    out, and levels of spend put in. ``log_mean`` of spend is in units of ``amount_unit``, the
    geometric mean amount. Refunds and margin have no priors: their draws are matched to moments.

    Parameters
    ----------
    model : LifetimeValue
        Fitted, or rebuilt from its parameters.
    """
    draws = model.draws_
    bought = dict(purchases.model(model.purchase_model).priors)
    if pooling.SCALES[0] in draws:
        # An offset of a group is normal around 0 with the scale that is drawn.
        offsets = {scale.replace("_scale", "_offset"): scale for scale in pooling.SCALES}
        bought |= pooling.PRIORS
        bought |= {offset: (f"normal, times {of}", 0.0, 1.0) for offset, of in offsets.items()}
    effects = [name for name in map(str, draws) if name.partition("[")[0] in covariates.EFFECTS]
    bought |= dict.fromkeys(sorted(effects), covariates.EFFECT_PRIOR)
    spent = dict(spend.model_with_levels(spend.level_classes(dict(draws))).priors)
    if "kappa" not in draws:
        del spent["log_kappa"]
    unit = model.diagnostics_.get("spend", {}).get("amount_unit")
    if unit is not None:
        spent["amount_unit"] = ("constant", unit, 0.0)
    return {model.purchase_model: bought, "spend": spent}
