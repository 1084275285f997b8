"""Fitted models as rows: which fit serves a date, when a refit is due, and how a fit is stored.

Add here what holds for every kind of model. Fitting and predicting are models_py; the assets decide
what a fit is made from.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field

import dagster as dg
import pandas as pd

from dagster_project.result_tables import MODEL_PARAMETERS, MODEL_VERSIONS
from dagster_project.warehouse import Warehouse

REFIT_TAG = "clientela/refit"
ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Fit:
    """A fitted model about to be stored.

    Parameters
    ----------
    model
        lifetime_value or microsegmentation.
    data_end_date
        Last day of its data.
    fingerprint
        Hash of data, settings and code.
    parameters
        Columns model, draw, parameter, value.
    problems
        Gates that failed; empty when it may be promoted.
    health
        Diagnostics and sizes, by column of models.model_versions.
    settings
        What it was told.
    data_hash, code_hash
        Hash of the data alone, and of the code alone.
    priors
        Part of the model to number to (kind, location, scale).
    """

    model: str
    data_end_date: dt.date
    fingerprint: str
    parameters: pd.DataFrame
    problems: list[str] = field(default_factory=list)
    health: dict[str, float | str] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    data_hash: str | None = None
    code_hash: str | None = None
    priors: dict[str, object] | None = None

    @property
    def version_id(self) -> str:
        return version_id(self.model, self.data_end_date, self.fingerprint)


def version_id(model: str, data_end_date: dt.date, fingerprint: str) -> str:
    """The id of a fit: what it is of, and the hash of all that made it."""
    return f"{model}-{data_end_date:%Y%m%d}-{fingerprint[:10]}"


def version_in_force(warehouse: Warehouse, model: str, as_of_date: dt.date) -> tuple[str, dt.date]:
    """Id and data end of the latest promoted fit whose data end on or before ``as_of_date``.

    Raises
    ------
    dagster.Failure
        When there is none.
    """
    found = _latest(warehouse, model, as_of_date)
    if found is None:
        raise dg.Failure(
            f"no promoted fit of {model} ends on or before {as_of_date}. Materialize the fit for "
            "this date, or look in models.model_versions why it was rejected or rolled back."
        )
    return found


def is_refit_due(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    model: str,
    as_of_date: dt.date,
    fingerprint: str,
    refit_after_days: int,
    settings: dict[str, object],
) -> bool:
    """True when this date must be fitted on rather than served by an earlier fit.

    It must when there is none, when the earlier one is too old or was told something else, when it
    is of this very date but of other data or code, or when the run asks for a refit. A fit that was
    rolled back is not made again from the same data, settings and code: the earlier one serves.

    Raises
    ------
    dagster.Failure
        When the only fit there could be was rolled back.
    """
    latest = _latest(warehouse, model, as_of_date)
    again = version_id(model, as_of_date, fingerprint)
    if _status(warehouse, again) == ROLLED_BACK:
        if latest is None:
            raise dg.Failure(
                f"{again} was rolled back, and no other fit of {model} ends on or before "
                f"{as_of_date}. Change the settings of the model in config.yml or deliver other "
                "data; the same would give the same fit."
            )
        return False
    if latest is None:
        return True
    known = warehouse.scalar(
        f"select count(*) from {MODEL_VERSIONS.full_name} where model = ? and data_end_date = ? "
        "and status = 'promoted' and input_fingerprint = ?",
        [model, as_of_date, fingerprint],
    )
    if known:
        return False
    age = (as_of_date - latest[1]).days
    told = warehouse.scalar(
        f"select settings from {MODEL_VERSIONS.full_name} where model_version_id = ?", [latest[0]]
    )
    return (
        age == 0
        or age >= refit_after_days
        or told != _as_json(settings)
        or context.run.tags.get(REFIT_TAG) == "always"
    )


def store(warehouse: Warehouse, fit: Fit) -> str:
    """Write parameters and version; an earlier fit on the same day is superseded, not erased.

    Raises
    ------
    dagster.Failure
        When this very fit was rolled back.
    """
    if _status(warehouse, fit.version_id) == ROLLED_BACK:
        raise dg.Failure(f"{fit.version_id} was rolled back, which is for good; it is not stored.")
    columns = MODEL_VERSIONS.column_names
    known = {
        "model_version_id": fit.version_id,
        "model": fit.model,
        "data_end_date": fit.data_end_date,
        "status": "rejected" if fit.problems else "promoted",
        "rejected_because": "; ".join(fit.problems) or None,
        "settings": _as_json(fit.settings),
        "input_fingerprint": fit.fingerprint,
        "data_hash": fit.data_hash,
        "code_hash": fit.code_hash,
        "priors": None if fit.priors is None else _as_json(fit.priors),
    } | fit.health
    version = pd.DataFrame([{column: known.get(column) for column in columns}])
    parameters = fit.parameters.assign(model_version_id=fit.version_id)
    key = {"model_version_id": fit.version_id}
    # A fit stored again begins a new line: what it had superseded would come back beside its own
    # successor when it is rolled back, so that goes to who had superseded it.
    warehouse.connection.execute(
        f"update {MODEL_VERSIONS.full_name} set superseded_by = coalesce((select superseded_by "
        f"from {MODEL_VERSIONS.full_name} where model_version_id = ?), superseded_by) "
        "where superseded_by = ?",
        [fit.version_id, fit.version_id],
    )
    warehouse.replace_slice(MODEL_PARAMETERS, parameters, key)
    warehouse.replace_slice(MODEL_VERSIONS, version, key)
    if not fit.problems:
        warehouse.connection.execute(
            f"update {MODEL_VERSIONS.full_name} set status = 'superseded', superseded_by = ? "
            "where model = ? and data_end_date = ? and status = 'promoted' "
            "and model_version_id <> ?",
            [fit.version_id, fit.model, fit.data_end_date, fit.version_id],
        )
    return fit.version_id


def predecessor(warehouse: Warehouse, version: str) -> str | None:
    """The fit that serves when this one does not: that of the same day it took the place of, else
    the latest before that day; None when there is neither.
    """
    found = warehouse.scalar(
        f"select other.model_version_id from {MODEL_VERSIONS.full_name} as other, "
        f"{MODEL_VERSIONS.full_name} as this where this.model_version_id = ? "
        "and other.model = this.model and ("
        "other.status = 'superseded' and other.superseded_by = this.model_version_id "
        "or other.status = 'promoted' and (other.model_version_id = this.superseded_by "
        "or other.data_end_date < this.data_end_date)) "
        "order by other.data_end_date desc, other.model_version_id limit 1",
        [version],
    )
    return None if found is None else str(found)


def take_out(warehouse: Warehouse, version: str, status: str, because: str) -> None:
    """Give a fit another status and say why; the fit of the same day that it superseded is back.

    Taken out once more, it keeps the name of the fit that came back.
    """
    table = MODEL_VERSIONS.full_name
    warehouse.connection.execute(
        f"update {table} set status = ?, rejected_because = ?, superseded_by = coalesce(("
        f"select min(model_version_id) from {table} where status = 'superseded' "
        "and superseded_by = ?), superseded_by) where model_version_id = ?",
        [status, because, version, version],
    )
    warehouse.connection.execute(
        f"update {table} set status = 'promoted', superseded_by = null "
        "where status = 'superseded' and superseded_by = ?",
        [version],
    )


def parameters_of(warehouse: Warehouse, version_id: str) -> pd.DataFrame:
    """Columns model, draw, parameter, value of one fit, in a fixed order."""
    return warehouse.frame(
        f"select model, draw, parameter, value from {MODEL_PARAMETERS.full_name} "
        "where model_version_id = ? order by model, draw, parameter",
        [version_id],
    )


def _latest(warehouse: Warehouse, model: str, as_of_date: dt.date) -> tuple[str, dt.date] | None:
    rows = warehouse.connection.execute(
        f"select model_version_id, data_end_date from {MODEL_VERSIONS.full_name} "
        "where model = ? and status = 'promoted' and data_end_date <= ? "
        "order by data_end_date desc, model_version_id limit 1",
        [model, as_of_date],
    ).fetchall()
    return (str(rows[0][0]), rows[0][1]) if rows else None


def _status(warehouse: Warehouse, version: str) -> object:
    return warehouse.scalar(
        f"select status from {MODEL_VERSIONS.full_name} where model_version_id = ?", [version]
    )


def _as_json(settings: dict[str, object]) -> str:
    return json.dumps(settings, sort_keys=True, default=str)
