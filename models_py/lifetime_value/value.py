"""`LifetimeValue`: fit on grouped rows, predict customers, keep parameters as plain rows.

Add here what a caller of the model needs: settings, results as tables, totals.
The mathematics belong in `purchases`, `spend` and `predictive`, judging it in `backtest`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.lifetime_value import purchases, spend
from models_py.lifetime_value.predictive import Futures, simulate
from models_py.lifetime_value.recalibration import Recalibration
from models_py.lifetime_value.results import (
    Totals,
    read_batch,
    sum_customers,
    summarise,
    to_table,
)
from models_py.lifetime_value.sampler import Sampling

_CHUNK_CUSTOMERS = 500


class LifetimeValue:
    """Predicted orders, revenue and present value of customers who may leave unseen.

    Customers buy at a Poisson rate of their own, gamma-distributed; at their first and after every
    order they may leave for good with a probability of their own, beta-distributed (MBG/NBD).
    Amounts are gamma with a level of their own. Rates, dropout and spend levels are independent.

    Parameters
    ----------
    horizons_days : sequence of int
        Ascending.
    annual_discount_rate : float
        0.10 discounts money a year away by 1/1.10.
    purchase_model : {"mbg_nbd", "bg_nbd"}
        BG/NBD cannot see a one-time buyer as gone; it is there to compare with published figures.
    draws_kept : int
        Joint parameter draws that predictions use and tables keep.
    sampling : Sampling, optional
    random_state : int

    Attributes
    ----------
    draws_ : DataFrame
        One row per draw; r, alpha (weeks), a, b, p, q, v (money) and kappa, which is missing where
        first orders are not exchangeable with later ones.
    diagnostics_ : dict of dict
        `posterior.diagnose` for ``purchases`` and ``spend``; empty after `from_parameters`.
    gates_ : dict of list of str
        What failed per model; empty lists when healthy.
    is_healthy_ : bool

    References
    ----------
    Batislam, Denizel & Filiztekin (2007) and Hoppe & Wagner (2007) for MBG/NBD; Fader, Hardie &
    Lee (2005) for BG/NBD and gamma-gamma spend.
    """

    draws_: pd.DataFrame
    diagnostics_: dict[str, dict[str, float]]
    gates_: dict[str, list[str]]
    is_healthy_: bool

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

    def fit(self, purchase_groups: pd.DataFrame, spend_groups: pd.DataFrame) -> LifetimeValue:
        """Sample both posteriors from grouped rows (see `grouping`).

        Parameters
        ----------
        purchase_groups, spend_groups : DataFrame
            Columns of `frames.PURCHASE_GROUPS` and `frames.SPEND_GROUPS`.

        Raises
        ------
        ValueError
            For columns, rows or amounts that the likelihood cannot take.
        """
        sampling = self.sampling or Sampling()
        bought, bought_health = purchases.fit(
            purchase_groups, self.purchase_model, sampling, self.draws_kept, self.random_state
        )
        spent, spent_health = spend.fit(
            spend_groups, sampling, self.draws_kept, self.random_state + 1
        )
        self.draws_ = pd.concat([bought, spent], axis=1)
        self.diagnostics_ = {"purchases": bought_health, "spend": spent_health}
        self.gates_ = {
            name: posterior.failed_gates(health) for name, health in self.diagnostics_.items()
        }
        self.is_healthy_ = not any(self.gates_.values())
        return self

    def parameters_frame(self) -> pd.DataFrame:
        """The draws as plain rows.

        Returns
        -------
        DataFrame
            model (mbg_nbd, bg_nbd or spend), draw, parameter, value; sorted.
        """
        rows = self.draws_.melt(ignore_index=False, var_name="parameter").reset_index()
        is_purchase = rows["parameter"].isin(purchases.PARAMETERS)
        rows.insert(0, "model", np.where(is_purchase, self.purchase_model, "spend"))
        rows = rows.sort_values(["model", "draw", "parameter"], ignore_index=True)
        return rows[["model", "draw", "parameter", "value"]]

    @classmethod
    def from_parameters(cls, parameters: pd.DataFrame, **settings: Any) -> LifetimeValue:
        """Rebuild a fitted model from `parameters_frame` rows; settings as in ``__init__``.

        Raises
        ------
        ValueError
            When a parameter or a draw is missing.
        """
        names = set(parameters["model"]) - {"spend"}
        if len(names) != 1:
            raise ValueError(
                "model_parameters must hold one purchase model (mbg_nbd or bg_nbd), found "
                f"{sorted(names)}. Select the rows of one model_version_id."
            )
        # pivot refuses a draw that occurs twice; pivot_table would average the two.
        draws = parameters.pivot(  # noqa: PD010
            index="draw", columns="parameter", values="value"
        )
        known = [*purchases.PARAMETERS, *spend.PARAMETERS]
        missing = [name for name in known if name not in draws and name != "kappa"]
        present = [name for name in known if name in draws]
        if missing or draws[present].isna().to_numpy().any():
            raise ValueError(
                f"model_parameters lack {', '.join(missing) or 'some draws'}. Select all rows of "
                "one model_version_id."
            )
        model = cls(**(settings | {"purchase_model": names.pop(), "draws_kept": len(draws)}))
        model.draws_ = draws[present].astype("float64").sort_index().rename_axis(columns=None)
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
        totals = self._no_totals()
        for futures in self.simulate(batch, as_of_date):
            totals = totals + sum_customers(futures)
        return totals

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
        totals, summaries, start = self._no_totals(), [], 0
        x = np.asarray(batch["repeat_purchase_days_count"], dtype="float64")
        for futures in self.simulate(batch, as_of_date):
            totals = totals + sum_customers(futures)
            summary = summarise(futures)
            if recalibration is not None:
                stop = start + len(futures.orders)
                summary |= recalibration.of_futures(futures, x[start:stop], self.horizons_days)
                start = stop
            summaries.append(summary)
        horizons = np.asarray(self.horizons_days)
        return to_table(batch, as_of_date, horizons, summaries, interval_status), totals

    def simulate(self, batch: pd.DataFrame, as_of_date: dt.date) -> Iterator[Futures]:
        """Simulate the batch in order, some customers at a time, so that memory stays flat."""
        horizons = np.asarray(self.horizons_days)
        if len(horizons) == 0 or (np.diff(horizons, prepend=0) <= 0).any():
            raise ValueError(
                f"horizons_days must be positive and ascending, got {list(self.horizons_days)}."
            )
        histories = read_batch(batch, as_of_date)
        for start in range(0, max(len(histories.x), 1), _CHUNK_CUSTOMERS):
            yield simulate(
                histories.part(start, start + _CHUNK_CUSTOMERS),
                self.draws_,
                horizons,
                self.annual_discount_rate,
                self.purchase_model,
                self.random_state,
            )

    def _no_totals(self) -> Totals:
        shape = (len(self.draws_), len(self.horizons_days))
        return Totals(np.zeros(shape), np.zeros(shape), 0)
