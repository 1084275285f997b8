"""The fit of purchases as the pipeline makes it: on the season's clock, by covariates, or by pools.

Add here another way in which groups are made ready for a purchase model.
The models themselves are in `purchases`, `pooling` and `covariates`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd

from models_py.lifetime_value import covariates, purchases
from models_py.lifetime_value.covariate_design import CovariateDesign
from models_py.lifetime_value.sampler import Sampling
from models_py.lifetime_value.seasonality import OperationalClock


def design_of(purchase_groups: pd.DataFrame, columns: Sequence[str]) -> CovariateDesign | None:
    """The terms of the columns; None where there are none, or all are the same for everyone.

    Raises
    ------
    ValueError
        When groups are pooled too: what a pool's customers have in common would count twice.
    """
    if columns and "pool" in purchase_groups:
        raise ValueError("purchases are fitted by pools or by covariates, not both. Leave one out.")
    design = CovariateDesign.learn(purchase_groups, columns) if columns else None
    return design if design is not None and design.terms else None


def fit_purchases(
    purchase_groups: pd.DataFrame,
    family: str,
    sampling: Sampling,
    draws_kept: int,
    random_state: int,
    clock: OperationalClock | None = None,
    as_of_date: dt.date | None = None,
    design: CovariateDesign | None = None,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Draws of a family and their health; as `purchases.fit`, whose groups these are in days.

    A column ``pool`` gives every pool its own rates, a `design` multiplies them by covariates.
    """
    groups = purchase_groups if clock is None else clock.groups(purchase_groups, as_of_date)
    if design is None:
        pool_by = "pool" if "pool" in groups else None
        return purchases.fit(groups, family, sampling, draws_kept, random_state, pool_by)
    return covariates.fit(
        design.encoded(groups), family, design.terms, sampling, draws_kept, random_state
    )
