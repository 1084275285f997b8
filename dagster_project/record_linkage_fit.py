"""The probabilistic linkage as a model of the registry: fitted now and then, kept in between.

Add here when the linkage is learned again and what is kept of it. How it learns is models_py; which
links are followed is decided where persons are resolved.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from dagster_project.model_registry import Fit, is_refit_due, parameters_of, store, version_in_force
from dagster_project.settings import IdentitySettings
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from models_py.record_linkage import RecordLinkage

MODEL = "record_linkage"
# One order dated 2150 would make every version look old, and each landing would be learned anew.
DATA_END = """
    select max(cast(ordered_at as date)) from staging.orders where cast(ordered_at as date) <= ?
"""


def linkage_in_force(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    settings: IdentitySettings,
    records: pd.DataFrame,
    fingerprint: str,
    today: dt.date,
) -> tuple[RecordLinkage | None, dict[str, object]]:
    """Return the model that finds probable pairs, learned again when due, and what to tell of it.

    Records without any name have nothing to compare: then nothing is imported and nothing costs.
    """
    as_of = warehouse.connection.execute(DATA_END, [today]).fetchall()[0][0]
    if as_of is None or not records["family_name"].notna().any():
        return None, {"probabilistic_linkage": "skipped: no record carries a name"}
    from models_py.record_linkage import RecordLinkage

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
    return model, {"model_version_id": version}
