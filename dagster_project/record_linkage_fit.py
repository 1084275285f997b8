"""The probabilistic linkage as a model of the registry: fitted now and then, applied every run.

Add here when the linkage is learned again and what is kept of it. How it learns is models_py; which
links are followed is decided where persons are resolved.
"""

import dagster as dg
import pandas as pd

from dagster_project.model_registry import Fit, is_refit_due, parameters_of, store, version_in_force
from dagster_project.settings import IdentitySettings
from dagster_project.warehouse import Warehouse

MODEL = "record_linkage"
DATA_END = "select cast(max(ordered_at) as date) from staging.orders"
# Pairs below are not worth a look; between this and the threshold people may decide.
WORTH_A_LOOK = 0.5


def probable_pairs(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    settings: IdentitySettings,
    everyone: pd.DataFrame,
    identifiers: pd.DataFrame,
    records: pd.DataFrame,
    fingerprint: str,
) -> tuple[pd.DataFrame | None, dict[str, object]]:
    """Pairs of records that are probably one person, and what to tell of how they were found.

    Records without any name have nothing to compare: then nothing is imported and nothing costs.
    """
    as_of = warehouse.scalar(DATA_END)
    if as_of is None or not records["family_name"].notna().any():
        return None, {"probabilistic_linkage": "skipped: no record carries a name"}
    from models_py.record_linkage import RecordLinkage
    from models_py.record_linkage.thresholds import with_threshold

    told = {"target_precision": settings.target_precision}
    if is_refit_due(context, warehouse, MODEL, as_of, fingerprint, settings.refit_after_days, told):
        model = RecordLinkage(target_precision=settings.target_precision).fit(records)
        if model.skipped_because_:
            return None, {"probabilistic_linkage": f"skipped: {model.skipped_because_}"}
        parameters = model.parameters_.assign(model=MODEL, draw=None)
        health = {"customers_count": len(records)}
        version = store(
            warehouse, Fit(MODEL, as_of, fingerprint, parameters, health=health, settings=told)
        )
    else:
        version, _ = version_in_force(warehouse, MODEL, as_of)
        model = RecordLinkage.from_parameters(parameters_of(warehouse, version))
    pairs = model.predict(records)
    pairs = pairs[pairs["match_probability"] >= min(WORTH_A_LOOK, model.threshold_)]
    pairs, threshold, estimated = with_threshold(
        everyone, identifiers, pairs, settings.target_precision, model.threshold_
    )
    return pairs, {
        "model_version_id": version,
        "threshold": threshold,
        "estimated_precision_of_new_links": estimated,
        "pairs_above_threshold": int(pairs["is_above_threshold"].sum()),
    }
