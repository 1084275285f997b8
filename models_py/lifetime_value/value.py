"""`LifetimeValue`: fit on grouped rows, predict customers, keep parameters as plain rows.

Add here what a caller of the model needs: settings, results as tables, totals.
The mathematics belong in `purchases`, `spend` and `predictive`, judging it in `backtest`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.lifetime_value import margins, purchase_fit, refunds, spend, spend_pit
from models_py.lifetime_value.chunks import in_chunks
from models_py.lifetime_value.covariate_design import CovariateDesign
from models_py.lifetime_value.forecast import Forecast
from models_py.lifetime_value.parameters import from_rows, to_rows
from models_py.lifetime_value.predictive import Futures, Histories
from models_py.lifetime_value.recalibration import Recalibration
from models_py.lifetime_value.results import (
    Totals,
    sum_customers,
    summarise,
    to_table,
)
from models_py.lifetime_value.sampler import Sampling
from models_py.lifetime_value.seasonality import OperationalClock

_CHUNK_CUSTOMERS = 500  # simulated at a time, where draws are handed out


class LifetimeValue:
    """Predicted orders, revenue and present value of customers who may leave unseen.

    Customers buy at a Poisson rate of their own, gamma-distributed; at their first and after every
    order they may leave for good with a probability of their own, beta-distributed (MBG/NBD).
    Amounts are gamma with a level of their own. Rates, dropout and spend levels are independent,
    unless the data show that frequent customers spend at another level. Refunds still to come take
    a share of all amounts; a customer's margin is a share of revenue around that of the base.

    Parameters
    ----------
    horizons_days : sequence of int
        Ascending.
    annual_discount_rate : float
        0.10 discounts money a year away by 1/1.10.
    purchase_model : {"mbg_nbd", "bg_nbd", "pareto_nbd"}
        BG/NBD cannot see a one-time buyer as gone; it is there to compare with published figures.
    draws_kept : int
        Joint parameter draws that predictions use and tables keep.
    sampling : Sampling, optional
    random_state : int

    Attributes
    ----------
    draws_ : DataFrame
        One row per draw; r, alpha (weeks), a, b, p, q, v (money); kappa, missing where first orders
        are not exchangeable with later ones; ``level_from_<x>``, factors on v by frequency, where
        spend depends on it; net_factor and refund_rate where refunds were given; margin_rate,
        margin_customer_sd and margin_order_sd where margins were; effects of covariates.
    diagnostics_ : dict of dict
        `posterior.diagnose` for ``purchases`` and ``spend``, the latter with what `spend_check`
        and `spend_pit` found; ``refunds`` and ``margin`` where fitted; empty when rebuilt.
    gates_ : dict of list of str
        What failed per model; empty lists when healthy.
    is_healthy_ : bool
    clock_, design_ : OperationalClock and CovariateDesign, optional
        Of the season and the covariates that purchases were fitted with; None without.

    References
    ----------
    Batislam, Denizel & Filiztekin (2007) and Hoppe & Wagner (2007) for MBG/NBD; Fader, Hardie &
    Lee (2005) for BG/NBD and gamma-gamma spend.
    """

    draws_: pd.DataFrame
    diagnostics_: dict[str, dict[str, float]]
    gates_: dict[str, list[str]]
    is_healthy_: bool
    clock_: OperationalClock | None = None
    design_: CovariateDesign | None = None

    def __init__(
        self,
        horizons_days: Sequence[int] = (30, 90, 180, 365),
        annual_discount_rate: float = 0.10,
        purchase_model: str = "mbg_nbd",
        draws_kept: int = 500,
        sampling: Sampling | None = None,
        random_state: int = 0,
    ) -> None:
        self.horizons_days = horizons_days
        self.annual_discount_rate = annual_discount_rate
        self.purchase_model = purchase_model
        self.draws_kept = draws_kept
        self.sampling = sampling
        self.random_state = random_state

    def fit(
        self,
        purchase_groups: pd.DataFrame,
        spend_groups: pd.DataFrame,
        *,
        last_orders: pd.DataFrame | None = None,
        refund_lags: pd.DataFrame | None = None,
        margin_groups: pd.DataFrame | None = None,
        clock: OperationalClock | None = None,
        as_of_date: dt.date | None = None,
        covariates: Sequence[str] = (),
    ) -> LifetimeValue:
        """Sample the posteriors of all parts from grouped rows (see `grouping`).

        Parameters
        ----------
        purchase_groups, spend_groups : DataFrame
            Columns of `frames.PURCHASE_GROUPS` and `frames.SPEND_GROUPS`. Parameters differ by a
            column ``pool``, ``<column>=<value>``, of purchases; batches then need that column.
        last_orders : DataFrame, optional
            Columns of `frames.LAST_ORDER_GROUPS`: `spend_pit.calibration` is measured on them.
        refund_lags : DataFrame, optional
            Columns of `frames.REFUND_LAGS`; without them amounts count as final.
        margin_groups : DataFrame, optional
            Columns of `frames.MARGIN_GROUPS`; without them no margin is predicted.
        clock, as_of_date : optional
            The season's clock (`season_fit.find_clock`) and the date the groups are as of.
        covariates : sequence of str
            Columns of `purchase_groups` with effects on rate and dropout.

        Raises
        ------
        ValueError
            For columns, rows or amounts that the likelihood cannot take.
        """
        sampling = self.sampling or Sampling()
        self.clock_, self.design_ = clock, purchase_fit.design_of(purchase_groups, covariates)
        bought, bought_health = purchase_fit.fit_purchases(
            purchase_groups,
            self.purchase_model,
            sampling,
            self.draws_kept,
            self.random_state,
            clock,
            as_of_date,
            self.design_,
        )
        spent, spent_health = spend.fit(
            spend_groups, sampling, self.draws_kept, self.random_state + 1
        )
        if last_orders is not None:
            spent_health |= spend_pit.calibration(last_orders, spent)
        self.diagnostics_ = {"purchases": bought_health, "spend": spent_health}
        self.gates_ = {
            name: posterior.failed_gates(health) for name, health in self.diagnostics_.items()
        }
        parts = [bought, spent]
        for name, sums, fit in (
            ("refunds", refund_lags, refunds.fit),
            ("margin", margin_groups, margins.fit),
        ):
            if sums is not None:
                found, self.diagnostics_[name] = fit(sums, self.draws_kept, self.random_state + 2)
                parts.append(found)
        self.draws_ = pd.concat(parts, axis=1)
        self.is_healthy_ = not any(self.gates_.values())
        return self

    @property
    def covariates(self) -> tuple[str, ...]:
        """Columns that batches need beside `frames.LTV_FEATURES` and a pool's."""
        return () if self.design_ is None else self.design_.columns

    def parameters_frame(self) -> pd.DataFrame:
        """The draws as plain rows.

        Returns
        -------
        DataFrame
            model (a family, spend, refunds, margin or season), draw, parameter, value; sorted.
        """
        return to_rows(self.draws_, self.purchase_model, self.clock_, self.design_)

    @classmethod
    def from_parameters(cls, parameters: pd.DataFrame, **settings: Any) -> LifetimeValue:
        """Rebuild a fitted model from `parameters_frame` rows; settings as in ``__init__``.

        Raises
        ------
        ValueError
            When a parameter or a draw is missing.
        """
        purchase_model, draws, clock, design = from_rows(parameters)
        model = cls(**(settings | {"purchase_model": purchase_model, "draws_kept": len(draws)}))
        model.draws_, model.clock_, model.design_ = draws, clock, design
        model.diagnostics_, model.gates_ = {}, {}
        return model

    def predict(
        self,
        batch: pd.DataFrame,
        as_of_date: dt.date,
        interval_status: str = "uncalibrated",
        recalibration: Recalibration | None = None,
    ) -> pd.DataFrame:
        """Predict each customer at each horizon.

        A customer's numbers depend on their own row, the draws and the settings only: neither on
        the others in the batch nor on the order of rows.

        Parameters
        ----------
        batch : DataFrame
            Columns of `frames.LTV_FEATURES`, customers with at least one purchase day;
            ``observed_margin_amount`` is copied when present.
        as_of_date : date
        interval_status : str
            What a backtest has found of these intervals; ``uncalibrated`` until one has.
        recalibration : Recalibration, optional
            Picks the quantiles of single customers; raw ones without.

        Returns
        -------
        DataFrame
            One row per customer and horizon, columns `results.LTV_COLUMNS`.

        Raises
        ------
        ValueError
            For missing columns, prospects, repeated customers or another as-of date.
        """
        return self.predict_with_totals(batch, as_of_date, interval_status, recalibration)[0]

    def predict_totals(self, batch: pd.DataFrame, as_of_date: dt.date) -> Totals:
        """Sum simulated revenue and orders over the batch, draw by draw.

        The same draw index means the same parameters in every batch, so the totals of batches add
        up to the totals of the whole, exactly.
        """
        return self._summarised(batch, as_of_date, lambda futures, part: {})[1]

    def predict_with_totals(
        self,
        batch: pd.DataFrame,
        as_of_date: dt.date,
        interval_status: str = "uncalibrated",
        recalibration: Recalibration | None = None,
    ) -> tuple[pd.DataFrame, Totals]:
        """`predict` and `predict_totals` from one simulation.

        Quantiles of single customers are those that `recalibration` picks, where one is given;
        means, probabilities and totals stay as they are.
        """

        def summary_of(futures: Futures, part: Histories) -> dict[str, np.ndarray]:
            summary = summarise(futures)
            if recalibration is not None:
                summary |= recalibration.of_futures(futures, part.x, self.horizons_days)
            return summary

        summary, totals = self._summarised(batch, as_of_date, summary_of)
        horizons = np.asarray(self.horizons_days)
        return to_table(batch, as_of_date, horizons, summary, interval_status), totals

    def _summarised(
        self,
        batch: pd.DataFrame,
        as_of_date: dt.date,
        summary_of: Callable[[Futures, Histories], dict[str, np.ndarray]],
    ) -> tuple[dict[str, np.ndarray], Totals]:
        forecast = self._forecast(as_of_date)

        def work(part: Histories) -> tuple[dict[str, np.ndarray], Totals]:
            futures = forecast.futures(part)
            if "margin_rate" in self.draws_:
                futures = margins.with_margin(futures, part, self.draws_, self.random_state)
            return summary_of(futures, part), sum_customers(futures)

        return in_chunks(forecast.read(batch), work)

    def simulate(self, batch: pd.DataFrame, as_of_date: dt.date) -> Iterator[Futures]:
        """Simulate the batch in order, some customers at a time, so that memory stays flat."""
        forecast = self._forecast(as_of_date)
        histories = forecast.read(batch)
        for start in range(0, max(len(histories.x), 1), _CHUNK_CUSTOMERS):
            yield forecast.futures(histories.part(start, start + _CHUNK_CUSTOMERS))

    def _forecast(self, as_of_date: dt.date) -> Forecast:
        return Forecast(
            as_of_date,
            self.horizons_days,
            self.annual_discount_rate,
            self.purchase_model,
            self.draws_,
            self.random_state,
            self.clock_,
            self.design_,
        )
