"""What a backtest reads of one past date: customers, stages, features, trees and totals.

Add here a query as of an origin. Which origins there are is backtesting.py, what came of them
backtest_outcomes.py, what is done with both backtest_run.py.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import pandas as pd

from dagster_project import backtesting
from dagster_project.backtest_outcomes import KnownLedger
from dagster_project.feature_catalogue import STATIC_ATTRIBUTES
from dagster_project.warehouse import Warehouse
from models_py.lifetime_value import LifetimeValue
from models_py.lifetime_value import backtest as bt
from models_py.lifetime_value.baselines import DAYS_PER_WEEK, FEWEST_CUSTOMERS, GradientBoosting


@dataclass(frozen=True)
class Origin:
    """One origin read once: the scored customers, everyone, stages, and the ledger of its day.

    `everyone` is empty once totals are known (`without_everyone`).
    """

    day: dt.date
    batch: pd.DataFrame
    everyone: pd.DataFrame
    population_count: int
    stages: pd.Series | None
    ledger: KnownLedger

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
        batch = everyone[chosen].reset_index(drop=True)
        ledger = KnownLedger.read(warehouse, day)
        return cls(day, batch, everyone, len(everyone), by_customer, ledger)

    def without_everyone(self) -> Origin:
        """The origin for later use: a million customers are 0.6 GB, and there are many origins."""
        return replace(self, everyone=pd.DataFrame())

    def outcomes(self, warehouse: Warehouse, horizon: int, ledger: KnownLedger) -> pd.DataFrame:
        """What the scored customers did next, by the ledger of a later day."""
        return self._scored(ledger.outcomes(warehouse, self.day, horizon))

    def recent(self, warehouse: Warehouse, horizon: int) -> pd.DataFrame:
        """What they did in the horizon up to the origin, as known then."""
        return self._scored(self.ledger.outcomes(warehouse, self.day, horizon, back=True))

    def _scored(self, found: pd.DataFrame) -> pd.DataFrame:
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
    # What the origin could know: refunds that came later would be news from its future.
    outcomes = earlier.outcomes(warehouse, horizon, origin.ledger)
    return GradientBoosting(random_state).fit(features_of(warehouse, earlier), outcomes)


def track(
    warehouse: Warehouse, model: LifetimeValue, origin: Origin, horizon: int, ledger: KnownLedger
) -> pd.DataFrame:
    ahead = ledger.days_ahead(warehouse, origin.day, horizon)
    mine = ahead[ahead["customer_id"].isin(origin.batch["customer_id"])]
    weeks = int(horizon // DAYS_PER_WEEK)
    days = mine["days_ahead"].to_numpy()
    return bt.weekly_tracking(model, origin.batch, days, origin.day, weeks)


def totals_of(
    warehouse: Warehouse,
    model: LifetimeValue,
    origin: Origin,
    evaluated: pd.DataFrame,
    ledger: KnownLedger,
) -> pd.DataFrame:
    """Actual and predicted totals over everyone, per horizon; never over a sample."""
    horizons = sorted(evaluated["horizon_days"].unique())
    rows = []
    is_sampled = origin.population_count > len(origin.batch)
    expected = (
        bt.expected_totals(model, origin.everyone, origin.day, horizons) if is_sampled else {}
    )
    for number, horizon in enumerate(horizons):
        part = evaluated[evaluated["horizon_days"] == horizon]
        real = ledger.outcomes(warehouse, origin.day, int(horizon)) if is_sampled else None
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
        as_of_date=pd.Timestamp(ledger.day),
        origin_date=pd.Timestamp(origin.day),
        slice="all",
        model=model.purchase_model,
        customers_count=origin.population_count,
        population_count=origin.population_count,
    )
