"""The fit of purchases as the pipeline makes it: on the season's clock, by covariates, or by pools.

Add here another way in which groups are made ready for a purchase model.
The models themselves are in `purchases`, `pooling` and `covariates`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from models_py.lifetime_value import covariates, purchases
from models_py.lifetime_value.covariate_design import BINS_COUNT, FEWEST_SHARE, CovariateDesign
from models_py.lifetime_value.sampler import Sampling
from models_py.lifetime_value.seasonality import OperationalClock

# Share of customers below which a class is rare, and bins of a number: each step is tried when the
# one before leaves too many combinations. The last leaves two classes and two bins of a column.
COARSENINGS = ((FEWEST_SHARE, BINS_COUNT), (0.02, 5), (0.05, 5), (0.05, 3), (0.1, 3), (0.5, 2))


def design_of(purchase_groups: pd.DataFrame, columns: Sequence[str]) -> CovariateDesign | None:
    """The terms of the columns; None where there are none, or all are the same for everyone.

    Terms are the finest of `COARSENINGS` with no more than `covariates.LARGEST_GROUPS_COUNT`
    combinations; which it was shows in the classes and bins that are kept of the design.

    Raises
    ------
    ValueError
        When groups are pooled too: what a pool's customers have in common would count twice. When
        even the coarsest terms have too many combinations.
    """
    if not columns:
        return None
    if "pool" in purchase_groups:
        raise ValueError("purchases are fitted by pools or by covariates, not both. Leave one out.")
    for fewest_share, bins_count in COARSENINGS:
        design = CovariateDesign.learn(purchase_groups, columns, fewest_share, bins_count)
        values = design.values(purchase_groups)
        count = _combinations(values)
        if count <= covariates.LARGEST_GROUPS_COUNT:
            return design if design.terms else None
    owners = np.array([term.partition("=")[0] for term in design.terms])
    left = {one: _combinations(values[:, owners != one]) for one in design.columns}
    dearest = min(left, key=lambda one: left[one])
    raise ValueError(
        f"lifetime_value.covariates in config.yml: {', '.join(columns)} have {count:,} "
        "combinations even with two classes or bins each, more than "
        f"{covariates.LARGEST_GROUPS_COUNT:,}. Leave out {dearest} first, without which there are "
        f"{left[dearest]:,}."
    )


def _combinations(values: np.ndarray) -> int:
    return len(pd.DataFrame(values).drop_duplicates())


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
