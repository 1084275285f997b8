"""The priors of a lifetime-value model as plain values, for the record of a fit.

Add here the priors of a new part of the model. What a prior means is said beside its likelihood, in
`purchases` and `spend`.
"""

from __future__ import annotations

from models_py.lifetime_value import purchases, spend


def stated_priors(purchase_model: str) -> dict[str, dict[str, tuple[str, float, float]]]:
    """Part of the model to unbounded number to (kind, location, scale), as they are fitted."""
    models = {purchase_model: purchases.model(purchase_model), "spend": spend.MODEL}
    return {part: dict(model.priors) for part, model in models.items()}
