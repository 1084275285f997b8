"""`ContractValue`: what running contracts will still pay, by simulated renewals.

Add here what a caller needs of contracts: grouping, fitting, predictions, parameters as rows.
How long contracts last is modelled in `contracts`; shops without contracts use `value`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from models_py import posterior
from models_py.frames import CONTRACT_FEATURES, require_columns, require_complete, to_float
from models_py.lifetime_value import billing, contracts
from models_py.lifetime_value.customer_keys import keyed_generator
from models_py.lifetime_value.parameters import melted, pivoted
from models_py.lifetime_value.results import Totals

MODEL = "shifted_beta_geometric"
_STREAM = 3
_STEP = 1024.0  # as revenue in `predictive`, so that sums of draws are exact


def group_contracts(
    rows: pd.DataFrame, as_of_date: dt.date, period_days: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn contracts into grouped renewals, and running ones into rows to predict.

    A contract started on day s renews every period after, by `billing`. One that ended on or before
    `as_of_date` refused the first renewal after its last day. That counts once the renewal has come
    for all who started with it: until then only those who leave show what they will do, so that
    an end ahead of its renewal is grouped as running, though it pays nothing more and is not
    predicted. An end that lies in the future is not known yet.

    Parameters
    ----------
    rows : DataFrame
        The shape ``contracts``: contract_id, started_on, ended_on (NULL while it runs),
        period_amount; ``cohort`` or, without that column, ``plan`` and the month of the start.
    as_of_date : date
        Contracts that start later are left out.
    period_days : float
        Length of a billing period; one close to whole months is counted by the calendar.

    Returns
    -------
    (DataFrame, DataFrame)
        Columns of `frames.CONTRACT_GROUPS` and of `frames.CONTRACT_FEATURES`.

    Raises
    ------
    ValueError
        For missing columns, a start that is NULL, or an end before the start.
    """
    needed = ["contract_id", "started_on", "ended_on", "period_amount"]
    require_columns(rows, needed, "contracts")
    require_complete(rows, ["started_on"], "contracts", "Leave out contracts that never started.")
    if period_days <= 0:
        raise ValueError(f"period_days must be above 0, got {period_days}.")
    today = pd.Timestamp(as_of_date)
    start, end = pd.to_datetime(rows["started_on"]), pd.to_datetime(rows["ended_on"])
    if (end < start).any():
        raise ValueError(
            f"contracts.ended_on is before started_on in {int((end < start).sum())} rows. Correct "
            "the dates at the source."
        )
    if "cohort" in rows:
        cohort = rows["cohort"].astype(str)
    else:
        plan = rows["plan"].fillna("no plan").astype(str) if "plan" in rows else "contract"
        cohort = plan + " " + start.dt.strftime("%Y-%m")
    is_ended = (end <= today).to_numpy()
    first, now = start.to_numpy(), np.full(len(rows), today.to_datetime64())
    passed = billing.renewals_until(first, now, period_days)
    has_begun = ~np.isnan(passed)
    passed = np.where(has_begun, passed, 0.0)
    refused = billing.renewals_until(first, end.to_numpy(), period_days) + 1.0
    has_refused = is_ended & (refused <= passed)
    following = billing.renewal_dates(first, passed + 1.0, period_days)
    table = pd.DataFrame(
        {
            "contract_id": rows["contract_id"].to_numpy(),
            "cohort": cohort.to_numpy(),
            "renewals_count": np.where(has_refused, refused, passed).astype("int64"),
            "is_ended": has_refused,
            "period_amount": rows["period_amount"].to_numpy(),
            "period_days": float(period_days),
            "days_to_renewal": (following - now.astype("datetime64[D]")).astype("float64"),
        }
    )
    keys = ["cohort", "renewals_count", "is_ended"]
    counted = table[has_begun].groupby(keys, sort=True)
    groups = counted.size().rename("contracts_count").reset_index()
    running = table[has_begun & ~is_ended].reset_index(drop=True)
    return groups, running[list(CONTRACT_FEATURES)]


class ContractValue:
    """Predicted renewals and revenue of running contracts.

    At each renewal a contract ends with a probability of its own, beta-distributed in its cohort;
    cohorts vary around a common base. A renewal pays the contract's amount.

    Parameters
    ----------
    horizons_days : sequence of int
        Ascending.
    annual_discount_rate : float
    draws_kept : int
    random_state : int

    Attributes
    ----------
    draws_ : DataFrame
        ``alpha[<cohort>]``, ``beta[<cohort>]``, and ``alpha``, ``beta`` of a cohort yet to come.
    diagnostics_ : dict
        ``k_hat`` and ``ess_bulk_min``; empty after `from_parameters`.

    References
    ----------
    Fader & Hardie (2007), Journal of Interactive Marketing 21(1); (2010), Marketing Science 29(1),
    for the residual lifetime of contracts that have renewed before.
    """

    draws_: pd.DataFrame
    diagnostics_: dict[str, float]

    def __init__(
        self,
        horizons_days: Sequence[int] = (30, 90, 180, 365),
        annual_discount_rate: float = 0.10,
        draws_kept: int = 500,
        random_state: int = 0,
    ) -> None:
        self.horizons_days = horizons_days
        self.annual_discount_rate = annual_discount_rate
        self.draws_kept = draws_kept
        self.random_state = random_state

    def fit(self, groups: pd.DataFrame) -> ContractValue:
        """Draw the posterior given `frames.CONTRACT_GROUPS`."""
        self.draws_, self.diagnostics_ = contracts.fit(groups, self.draws_kept, self.random_state)
        return self

    def parameters_frame(self) -> pd.DataFrame:
        """The draws as plain rows: model, draw, parameter, value; sorted."""
        rows = melted(self.draws_)
        rows.insert(0, "model", MODEL)
        return rows.sort_values(["draw", "parameter"], ignore_index=True)

    @classmethod
    def from_parameters(cls, parameters: pd.DataFrame, **settings: Any) -> ContractValue:
        """Rebuild a fitted model from `parameters_frame` rows; settings as in ``__init__``."""
        own = parameters[parameters["model"] == MODEL]
        draws = pivoted(own)
        if not {"alpha", "beta"} <= set(draws) or draws.isna().to_numpy().any():
            raise ValueError(
                f"model_parameters lack draws of alpha or beta of {MODEL}. Select all rows of one "
                "model_version_id."
            )
        model = cls(**(settings | {"draws_kept": len(draws)}))
        model.draws_ = draws
        model.diagnostics_ = {}
        return model

    def retention(self, cohort: str, renewals: int) -> np.ndarray:
        """Share of a cohort's contracts alive after 0, 1, ... `renewals`, (draw, renewal)."""
        alpha, beta = self._of(cohort)
        j = np.arange(renewals)
        again = (beta[:, None] + j) / ((alpha + beta)[:, None] + j)
        return np.concatenate([np.ones((len(alpha), 1)), np.cumprod(again, axis=1)], axis=1)

    def predict(self, batch: pd.DataFrame, as_of_date: dt.date) -> tuple[pd.DataFrame, Totals]:
        """Simulate each running contract once per draw.

        Parameters
        ----------
        batch : DataFrame
            Columns of `frames.CONTRACT_FEATURES`. A cohort the model has not seen is drawn from
            the base.
        as_of_date : date

        Returns
        -------
        (DataFrame, Totals)
            One row per contract and horizon: contract_id, as_of_date, horizon_days,
            renewal_probability (of every renewal due within the horizon; 1 when none is due),
            and mean and quantiles of ``predicted_orders`` (renewals paid), ``predicted_revenue``
            and ``predicted_present_value``; and the summed draws.

        Raises
        ------
        ValueError
            For missing columns, NULL, repeated contracts, or amounts and days that are not
            positive.
        """
        table = "contract features"
        require_columns(batch, CONTRACT_FEATURES, table)
        require_complete(batch, CONTRACT_FEATURES, table, "Leave out contracts without an amount.")
        passed, amount, period, wait = (
            to_float(batch[name], table) for name in list(CONTRACT_FEATURES)[2:]
        )
        wrong = (passed < 0) | (amount <= 0) | (period <= 0) | (wait <= 0)
        if wrong.any() or batch["contract_id"].duplicated().any():
            raise ValueError(
                f"{table}: {int(wrong.sum())} rows with a negative count, or an amount or days "
                f"that are not positive; {int(batch['contract_id'].duplicated().sum())} repeated "
                "contracts. Pass one row per running contract that pays."
            )
        horizons = np.asarray(self.horizons_days, dtype="float64")
        force = np.log1p(self.annual_discount_rate) / 365.0
        shape = (len(self.draws_), len(horizons))
        totals = [np.zeros(shape), np.zeros(shape)]
        parts: list[dict[str, np.ndarray]] = []
        for i, (key, cohort) in enumerate(
            zip(batch["contract_id"].astype(str), batch["cohort"].astype(str), strict=True)
        ):
            alpha, beta = self._of(cohort)
            days = self._renewal_days(as_of_date, wait[i], period[i])
            due = np.searchsorted(days, horizons, side="right")
            generator = keyed_generator(key, self.random_state, _STREAM)
            leaving = np.maximum(generator.beta(alpha, beta + passed[i]), 1e-12)
            lasts = np.floor(np.log1p(-generator.random(len(alpha))) / np.log1p(-leaving))
            paid = np.minimum(lasts, due[:, None])  # (horizon, draw)
            worth = np.concatenate([[0.0], np.cumsum(np.exp(-force * days))]) * amount[i]
            revenue = np.rint(paid * amount[i] * _STEP) / _STEP
            j = passed[i] + np.arange(due[-1])
            again = (beta[:, None] + j) / ((alpha + beta)[:, None] + j)
            alive = np.cumprod(again, axis=1).mean(axis=0)
            expected = np.concatenate([[0.0], np.cumsum(alive)])
            present = np.cumsum(alive * np.exp(-force * days)) * amount[i]
            parts.append(
                {
                    "renewal_probability": np.concatenate([[1.0], alive])[due],
                    "predicted_orders_mean": expected[due],
                    **posterior.quantiles(paid, "predicted_orders"),
                    "predicted_revenue_mean": expected[due] * amount[i],
                    **posterior.quantiles(revenue, "predicted_revenue"),
                    "predicted_present_value_mean": np.concatenate([[0.0], present])[due],
                    **posterior.quantiles(worth[paid.astype(int)], "predicted_present_value"),
                }
            )
            totals[0] += revenue.T
            totals[1] += paid.T
        count = len(horizons)
        columns: dict[str, Any] = {
            "contract_id": np.repeat(batch["contract_id"].to_numpy(), count),
            "as_of_date": pd.Timestamp(as_of_date),
            "horizon_days": np.tile(horizons.astype("int64"), len(batch)),
        }
        for name in parts[0] if parts else ():
            columns[name] = np.concatenate([part[name] for part in parts])
        result = pd.DataFrame(columns)
        return result, Totals(totals[0], totals[1], len(batch))

    def _renewal_days(self, as_of_date: dt.date, wait: float, period: float) -> np.ndarray:
        """Days from the as-of date to each renewal within the longest horizon.

        Months are counted from the next renewal: after one in February, a contract of the 31st is
        taken for one of the 28th, up to three days early.
        """
        last = float(self.horizons_days[-1])
        count = max(int((last - wait) / (0.9 * period)), 0) + 2  # enough for short months
        if billing.whole_months(period):
            today = np.datetime64(as_of_date, "D")
            following = today + np.timedelta64(round(wait), "D")
            dates = billing.renewal_dates(np.asarray(following), np.arange(count), period)
            days = (dates - today).astype("float64")
        else:
            days = wait + period * np.arange(count)
        return np.asarray(days[days <= last])

    def _of(self, cohort: str) -> tuple[np.ndarray, np.ndarray]:
        is_known = f"alpha[{cohort}]" in self.draws_
        names = (f"alpha[{cohort}]", f"beta[{cohort}]") if is_known else ("alpha", "beta")
        alpha, beta = (self.draws_[name].to_numpy(dtype="float64") for name in names)
        return alpha, beta
