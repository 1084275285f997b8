"""One forecast of a fitted model: histories read on its clock, futures simulated for some of them.

Add here what stands between a batch of customers and their simulated futures.
The simulation itself is `predictive`, what is made of futures `results`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models_py.lifetime_value.covariate_design import CovariateDesign
from models_py.lifetime_value.parameters import pooled_by
from models_py.lifetime_value.predictive import Futures, Histories, simulate
from models_py.lifetime_value.purchases import DAYS_PER_WEEK
from models_py.lifetime_value.results import read_batch
from models_py.lifetime_value.seasonality import OperationalClock


@dataclass(frozen=True)
class Forecast:
    """What futures after a date depend on, apart from the customers.

    With a `clock` histories are in its weeks and orders come by it; dates and discounts are of the
    calendar. With a `design` each customer's parameters are those of the own covariates.

    Raises
    ------
    ValueError
        For horizons that do not ascend from above 0.
    """

    as_of_date: dt.date
    horizons_days: Sequence[int]
    annual_discount_rate: float
    purchase_model: str
    draws: pd.DataFrame
    random_state: int
    clock: OperationalClock | None = None
    design: CovariateDesign | None = None

    def __post_init__(self) -> None:
        horizons = np.asarray(self.horizons_days)
        if len(horizons) == 0 or (np.diff(horizons, prepend=0) <= 0).any():
            raise ValueError(
                f"horizons_days must be positive and ascending, got {list(self.horizons_days)}."
            )

    def read(self, batch: pd.DataFrame) -> Histories:
        """The customers of a batch, checked."""
        histories = read_batch(batch, self.as_of_date, pooled_by(self.draws), self.clock)
        if self.design is None:
            return histories
        return replace(histories, pool=self.design.labels(batch))

    def futures(self, histories: Histories) -> Futures:
        """Simulated futures of the customers that `read` gave, or of a part of them."""
        horizons, draws = np.asarray(self.horizons_days), self.draws
        if self.design is not None and histories.pool is not None:
            draws = self.design.own_draws(draws, self.purchase_model, histories.pool)
        clock, weeks = self.clock, None
        if clock is not None:
            weeks = clock.horizons(self.as_of_date, horizons) / DAYS_PER_WEEK
        futures = simulate(
            histories,
            draws,
            horizons,
            self.annual_discount_rate,
            self.purchase_model,
            self.random_state,
            weeks,
        )
        if clock is None:
            return futures
        longest = float(horizons[-1])
        waiting = clock.calendar_days(self.as_of_date, futures.waiting_days, longest)
        return replace(futures, waiting_days=waiting)
