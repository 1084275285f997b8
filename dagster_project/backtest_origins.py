"""What a backtest reads of one past date: customers, their outcomes, features and purchase days.

Add here a query as of an origin. Which origins there are is backtesting.py, what is done with them
backtest_run.py.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from dagster_project import backtesting
from dagster_project.feature_catalogue import STATIC_ATTRIBUTES
from dagster_project.warehouse import Warehouse
from models_py.lifetime_value import LifetimeValue
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.baselines import DAYS_PER_WEEK, FEWEST_CUSTOMERS, GradientBoosting

# Net of an order as known at the end of the window: a later refund is not yet seen.
OUTCOMES = """
    with days as (
        select customer_id, purchase_date, sum(revenue_amount) as revenue_amount
        from marts.fct_revenue_ledger
        where purchase_date > ? and purchase_date <= ? and event_date <= ?
        group by customer_id, purchase_date having sum(revenue_amount) > 0
    )
    select features.customer_id, cast(? as integer) as horizon_days,
        count(days.purchase_date) as realised_orders_count,
        coalesce(cast(sum(days.revenue_amount) as double), 0) as realised_revenue_amount
    from marts.fct_customer_features as features
    left join days on days.customer_id = features.customer_id
    where features.as_of_date = ? and features.purchase_days_count > 0
    group by features.customer_id order by features.customer_id
"""
DAYS_AHEAD = """
    select customer_id, cast(date_diff('day', ?::date, purchase_date) as integer) as days_ahead
    from marts.fct_revenue_ledger
    where purchase_date > ? and purchase_date <= ? and event_date <= ?
    group by customer_id, purchase_date having sum(revenue_amount) > 0
    order by customer_id, purchase_date
"""


@dataclass(frozen=True)
class Origin:
    """One origin read once: the scored customers, everyone, their number and stages."""

    day: dt.date
    batch: pd.DataFrame
    everyone: pd.DataFrame
    stages: pd.Series | None

    @classmethod
    def read(cls, warehouse: Warehouse, day: dt.date) -> Origin:
        everyone = warehouse.frame(backtesting.batch_sql(day, static_attributes(warehouse)))
        chosen = bt.keyed_sample(everyone["customer_id"])
        stages = warehouse.frame(
            "select customer_id, stage from predictions.customer_lifecycle "
            "where as_of_date = ? order by customer_id",
            [day],
        )
        by_customer = stages.set_index("customer_id")["stage"] if len(stages) else None
        return cls(day, everyone[chosen].reset_index(drop=True), everyone, by_customer)

    def outcomes(self, warehouse: Warehouse, horizon: int, *, back: bool = False) -> pd.DataFrame:
        """What happened in the `horizon` days after the origin, or before and up to it."""
        start = self.day - dt.timedelta(days=horizon) if back else self.day
        end = start + dt.timedelta(days=horizon)
        found = warehouse.frame(OUTCOMES, [start, end, end, horizon, self.day])
        return found[found["customer_id"].isin(self.batch["customer_id"])]


def static_attributes(warehouse: Warehouse) -> list[str]:
    """Those that the features have: fits of several dates are compared on one batch, and each may
    have other covariates.
    """
    found = warehouse.frame(
        "select column_name from information_schema.columns where table_schema = 'marts' "
        "and table_name = 'fct_customer_features'"
    )
    return [name for name in STATIC_ATTRIBUTES if name in set(found["column_name"])]


def features_of(warehouse: Warehouse, origin: Origin) -> pd.DataFrame:
    """Every numeric feature of the scored customers, in the order of the batch."""
    kinds = warehouse.frame(
        "select column_name, data_type from information_schema.columns where "
        "table_schema = 'marts' and table_name = 'fct_customer_features' order by column_name"
    )
    numbers = kinds["data_type"].str.match("(BIGINT|INTEGER|DOUBLE|DECIMAL|FLOAT|HUGEINT|SMALLINT)")
    picked = ", ".join(
        f"cast({name} as double) as {name}" for name in kinds.loc[numbers, "column_name"]
    )
    table = warehouse.frame(
        f"select customer_id, {picked} from marts.fct_customer_features where as_of_date = ?",
        [origin.day],
    )
    ids = origin.batch["customer_id"].to_numpy()
    return table.set_index("customer_id").loc[ids].reset_index()


def trees_for(
    warehouse: Warehouse, origin: Origin, days: list[dt.date], horizon: int, random_state: int
) -> GradientBoosting | None:
    """Trees that learned at the latest date whose outcome window ended by the origin.

    None where there is no such date, or where it has too few customers to learn from.
    """
    ended = [day for day in days if day + dt.timedelta(days=horizon) <= origin.day]
    if not ended:
        return None
    earlier = Origin.read(warehouse, max(ended))
    if len(earlier.batch) < FEWEST_CUSTOMERS:
        return None
    outcomes = earlier.outcomes(warehouse, horizon)
    return GradientBoosting(random_state).fit(features_of(warehouse, earlier), outcomes)


def track(warehouse: Warehouse, model: LifetimeValue, origin: Origin, horizon: int) -> pd.DataFrame:
    end = origin.day + dt.timedelta(days=horizon)
    ahead = warehouse.frame(DAYS_AHEAD, [origin.day, origin.day, end, end])
    mine = ahead[ahead["customer_id"].isin(origin.batch["customer_id"])]
    weeks = int(horizon // DAYS_PER_WEEK)
    days = mine["days_ahead"].to_numpy()
    return bt.weekly_tracking(model, origin.batch, days, origin.day, weeks)


def totals_of(
    warehouse: Warehouse,
    model: LifetimeValue,
    origin: Origin,
    evaluated: pd.DataFrame,
    as_of_date: dt.date,
) -> pd.DataFrame:
    """Actual and predicted totals over everyone, per horizon; never over a sample."""
    horizons = sorted(evaluated["horizon_days"].unique())
    rows = []
    is_sampled = len(origin.everyone) > len(origin.batch)
    expected = (
        bt.expected_totals(model, origin.everyone, origin.day, horizons) if is_sampled else {}
    )
    for number, horizon in enumerate(horizons):
        part = evaluated[evaluated["horizon_days"] == horizon]
        end = origin.day + dt.timedelta(days=int(horizon))
        real = (
            warehouse.frame(OUTCOMES, [origin.day, end, end, int(horizon), origin.day])
            if is_sampled
            else None
        )
        for quantity, column in zip(
            bt.QUANTITIES, ("realised_orders_count", "realised_revenue_amount"), strict=True
        ):
            actual = part[f"realised_{quantity}"] if real is None else real[column].clip(lower=0)
            predicted = (
                expected[quantity][number] if is_sampled else part[f"predicted_{quantity}"].sum()
            )
            for name, value in (("actual", actual.sum()), ("predicted", predicted)):
                rows.append(
                    {
                        "horizon_days": horizon,
                        "metric": f"{quantity}_{name}_total",
                        "value": float(value),
                    }
                )
    return pd.DataFrame(rows).assign(
        as_of_date=pd.Timestamp(as_of_date),
        origin_date=pd.Timestamp(origin.day),
        slice="all",
        model=model.purchase_model,
        customers_count=len(origin.everyone),
        population_count=len(origin.everyone),
    )
