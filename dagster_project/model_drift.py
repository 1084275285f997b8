"""What changed when another model came into force: parameters, and totals of the same customers.

Add here another figure that a new fit may move. Numbers are compared in
models_py/parameter_drift.py; what moved for other reasons is portfolio_change.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dagster_project.model_registry import parameters_of
from dagster_project.result_tables import MODEL_DRIFT
from dagster_project.value_totals import Sums
from dagster_project.warehouse import Warehouse


def drift_between(
    warehouse: Warehouse,
    before: str,
    after: str,
    portfolio: pd.DataFrame,
    sums: Sums,
    horizons_days: Sequence[int],
) -> pd.DataFrame:
    """Rows of models.model_drift without date and version.

    Parameters
    ----------
    before, after
        Ids of the fit of the slice before and of this one.
    portfolio
        horizon_days and predicted_revenue_mean of today's customers by the fit of today.
    sums
        Draws of today's customers, and their expected revenue by the fit before.
    """
    from models_py.parameter_drift import compare, compare_parameters

    parameters = compare_parameters(
        parameters_of(warehouse, before), parameters_of(warehouse, after)
    )
    if sums.earlier_model is None:
        raise ValueError(f"the totals of {after} were summed without {before} beside it.")
    horizons = pd.Series(list(horizons_days))
    means = portfolio.set_index("horizon_days")["predicted_revenue_mean"].astype("float64")
    totals = compare(
        horizons.astype(str) + " days",
        pd.Series(sums.earlier_model.sum(axis=0) / 1e6),
        means.reindex(horizons).reset_index(drop=True),
        pd.Series(np.nan, horizons.index),
        pd.Series(sums.totals["portfolio"].revenue.sum(axis=0).std(axis=0)),
    )
    rows = pd.concat(
        [parameters.assign(kind="parameter"), totals.assign(kind="predicted_revenue")],
        ignore_index=True,
    )
    return rows.assign(compared_version_id=before)


def no_drift() -> pd.DataFrame:
    """No row: the model stayed, or there is no slice before."""
    return pd.DataFrame(columns=MODEL_DRIFT.column_names)


def told(drift: pd.DataFrame) -> str:
    """The rows as a markdown table, the largest change first."""
    if drift.empty:
        return "The model is that of the slice before, or there is none before."
    shown = drift[["kind", "name", "before_mean", "after_mean", "standardised_change"]]
    order = shown["standardised_change"].abs().sort_values(ascending=False).index
    return str(shown.loc[order].to_markdown(index=False, floatfmt=".4g"))
