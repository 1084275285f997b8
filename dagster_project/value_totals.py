"""Lifetime value summed by group: stages, micro-segments, cohorts and the whole base.

Add here a grouping of customers whose total somebody plans with. Draws are summed in
models_py/lifetime_value/totals.py; what moved the base is portfolio_change.py, what a cohort cost
and brought is cohorts.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dagster_project import backtesting
from dagster_project.warehouse import Warehouse

if TYPE_CHECKING:
    from dagster_project.past_totals import Widening
    from models_py.lifetime_value import GroupTotals, LifetimeValue

# The key of each grouping; a customer whose key is NULL counts in no group of it.
GROUPINGS = {
    "portfolio": "'all'",
    "stage": "lifecycle.stage",
    "microsegment": "segments.microsegment_key",
    "cohort": "cast(date_trunc('month', features.first_purchase_date) as date) || ' ' || "
    "coalesce(features.acquisition_channel, 'unknown')",
}
QUANTITIES = ("orders", "revenue")
Widenings = Mapping[tuple[str, int], "Widening"]
# Columns of what past totals say are those of revenue where they have no quantity in their name.
PREFIX = {"orders": "orders_", "revenue": ""}


def members_sql(as_of_date: dt.date) -> str:
    """customer_id and the key of every grouping, of customers with a purchase."""
    day = f"date '{as_of_date}'"
    keys = ", ".join(f"{sql} as {name}" for name, sql in GROUPINGS.items())
    return (
        f"select features.customer_id, {keys} from marts.fct_customer_features as features "
        "left join predictions.customer_lifecycle as lifecycle "
        "on lifecycle.customer_id = features.customer_id "
        "and lifecycle.as_of_date = features.as_of_date "
        "left join predictions.customer_microsegments as segments "
        "on segments.customer_id = features.customer_id "
        "and segments.as_of_date = features.as_of_date "
        f"where features.as_of_date = {day} and features.purchase_days_count > 0"
    )


@dataclass
class Sums:
    """Draws summed by group in one pass over a date's customers.

    Parameters
    ----------
    labels
        Grouping to its keys, sorted; the number of a group is the place of its key.
    totals
        Grouping to its summed draws.
    earlier_model
        (2, horizon) sums of predicted_revenue_mean by the model of the slice before, in millionths:
        customers unknown to that slice, and known to it. None when the model is the same.
    """

    labels: dict[str, list[str]]
    totals: dict[str, GroupTotals]
    earlier_model: np.ndarray | None = None


def sum_draws(
    warehouse: Warehouse,
    as_of_date: dt.date,
    model: LifetimeValue,
    previous_date: dt.date | None = None,
    earlier_model: LifetimeValue | None = None,
) -> Sums:
    """Simulate every customer of a date again and sum the draws of each group.

    Simulation is keyed by customer, so these are the draws that customer_ltv was made from; groups
    are known only after it, and storing draws by customer would cost a gigabyte for each 60,000.
    """
    from models_py.lifetime_value import GroupTotals

    members = members_sql(as_of_date)
    horizons = len(model.horizons_days)
    labels, totals = {}, {}
    for name in GROUPINGS:
        keys = warehouse.frame(f"select distinct {name} as key from ({members}) order by key")
        labels[name] = [str(key) for key in keys["key"].dropna()]
        totals[name] = GroupTotals(len(labels[name]), len(model.draws_), horizons)
    earlier = None if earlier_model is None else np.zeros((2, horizons), dtype="int64")

    def add(batch: pd.DataFrame) -> dict[str, pd.DataFrame]:
        groups = {
            name: pd.Categorical(batch[name], categories=labels[name]).codes.astype("int64")
            for name in GROUPINGS
        }
        start = 0
        for futures in model.simulate(batch, as_of_date):
            part = slice(start, start + len(futures.orders))
            for name, group in groups.items():
                totals[name].add(futures, group[part])
            start = part.stop
        if earlier_model is not None and earlier is not None:
            _add_means(earlier, earlier_model, batch, as_of_date)
        return {}

    known = (
        "false"
        if previous_date is None
        else "customer_id in (select customer_id from predictions.customer_ltv "
        f"where as_of_date = date '{previous_date}')"
    )
    covariates = list(dict.fromkeys([*model.covariates, *(earlier_model or model).covariates]))
    keys = ", ".join(f"members.{name}" for name in GROUPINGS)
    sql = (
        f"select batch.*, {keys}, {known} as is_known "
        f"from ({backtesting.batch_sql(as_of_date, covariates)}) as batch "
        f"join ({members}) as members using (customer_id) order by customer_id"
    )
    warehouse.map_batches(sql, add, as_of_date, [])
    return Sums(labels, totals, earlier)


def _add_means(
    sums: np.ndarray, model: LifetimeValue, batch: pd.DataFrame, as_of_date: dt.date
) -> None:
    """Add the batch's expected revenue by `model`, apart by whether the customer is known."""
    known, start = batch["is_known"].to_numpy(dtype=bool), 0
    for futures in model.simulate(batch, as_of_date):
        # Whole millionths, so that the sum does not depend on how customers are cut into batches.
        means = np.rint(futures.revenue_mean * 1e6).astype("int64")  # (customer, horizon)
        part = known[start : start + len(means)]
        sums[0] += means[~part].sum(axis=0)
        sums[1] += means[part].sum(axis=0)
        start += len(means)


def group_rows(
    warehouse: Warehouse,
    as_of_date: dt.date,
    grouping: str,
    sums: Sums,
    horizons_days: Sequence[int],
    widenings: Widenings,
    random_state: int,
) -> pd.DataFrame:
    """One row per group and horizon: quantiles of summed draws, means summed over customers.

    The discrepancy is one draw for all groups, as a bad month is bad for everyone. Where the total
    is refused there are no quantiles; the mean stays, as customers have it.

    Returns
    -------
    DataFrame
        Column named as the grouping, horizon_days, and the sums of result_tables/totals.py.
    """
    rows = []
    for number, horizon in enumerate(horizons_days):
        table = pd.DataFrame({grouping: sums.labels[grouping], "horizon_days": horizon})
        for quantity in QUANTITIES:
            widening = widenings[quantity, horizon]
            draws = getattr(sums.totals[grouping], quantity)[:, :, number].T  # (draw, group)
            name = f"predicted_{quantity}"
            quantiles = widening.discrepancy.summarise(draws, name, random_state)
            del quantiles[f"{name}_mean"]
            if widening.status.is_refused:
                quantiles = dict.fromkeys(quantiles, np.full(len(table), np.nan))
            told = {
                "discrepancy_blocks_count": widening.discrepancy.blocks_count,
                "interval_status": widening.status.status,
                "interval_reason": widening.status.reason,
            }
            told = {f"{PREFIX[quantity]}{column}": value for column, value in told.items()}
            table = table.assign(**quantiles, **told)
        rows.append(table)
    return pd.concat(rows, ignore_index=True).merge(
        warehouse.frame(_means(as_of_date, grouping)), on=[grouping, "horizon_days"]
    )


def _means(as_of_date: dt.date, grouping: str) -> str:
    # Decimals: sums of doubles depend on the order of rows, and groups must add up to the whole.
    def total(column: str, kind: str) -> str:
        return f"cast(sum(cast({column} as decimal(38, 9))) as {kind})"

    def unless_unknown(column: str, kind: str) -> str:
        return f"case when count({column}) = count(*) then {total(column, kind)} end as {column}"

    return (
        f"select {grouping}, horizon_days, count(*) as customers_count, "
        f"{total('predicted_orders_mean', 'double')} as predicted_orders_mean, "
        f"{total('predicted_revenue_mean', 'double')} as predicted_revenue_mean, "
        f"{unless_unknown('predicted_margin_mean', 'double')}, "
        "sum(observed_revenue_amount) as observed_revenue_amount, "
        f"{unless_unknown('observed_margin_amount', 'decimal(18, 2)')} "
        f"from ({members_sql(as_of_date)}) as members "
        "join predictions.customer_ltv as value using (customer_id) "
        f"where value.as_of_date = date '{as_of_date}' and {grouping} is not null "
        f"group by {grouping}, horizon_days order by {grouping}, horizon_days"
    )
