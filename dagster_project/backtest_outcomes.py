"""What happened after a past date, by the ledger as known on a later one, net to the end.

Add here a query of outcomes. Customers and features of an origin are backtest_origins.py, what is
done with both backtest_run.py.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dagster_project.lifetime_value_statistics import REFUND_LAGS
from dagster_project.warehouse import Warehouse
from models_py.lifetime_value.refunds import kept_from_age

# A day's net as known, times what its age leaves of it in the end (`kept_from_age`). Rounded, so
# that sums do not depend on their order.
OUTCOMES = """
    with days as (
        select customer_id, purchase_date,
            cast(
                sum(revenue_amount)
                * list_extract(?::double[], date_diff('day', purchase_date, ?::date) + 1)
                as decimal(18, 4)
            ) as revenue_amount
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
class KnownLedger:
    """The ledger as it stood at the end of a day: later refunds are not yet in it.

    Forecasts are net of refunds still to come. Outcomes that stop at the end of their window are
    not, and made forecasts of a shop with late refunds look too low; so amounts are those known on
    `day`, brought to the end by the refunds of all orders up to then.
    """

    day: dt.date
    refund_lags: pd.DataFrame

    @classmethod
    def read(cls, warehouse: Warehouse, day: dt.date) -> KnownLedger:
        return cls(day, warehouse.frame(REFUND_LAGS, [day]))

    def outcomes(
        self, warehouse: Warehouse, origin: dt.date, horizon: int, *, back: bool = False
    ) -> pd.DataFrame:
        """Of every customer at the origin, the `horizon` days after it, or before and up to it."""
        start = origin - dt.timedelta(days=horizon) if back else origin
        kept = kept_from_age(self.refund_lags, np.arange(max((self.day - start).days, 0) + 1))
        end = start + dt.timedelta(days=horizon)
        return warehouse.frame(
            OUTCOMES, [kept.tolist(), self.day, start, end, self.day, horizon, origin]
        )

    def days_ahead(self, warehouse: Warehouse, origin: dt.date, horizon: int) -> pd.DataFrame:
        """Every purchase day within the horizon: customer_id, days_ahead (1 is the next day)."""
        end = origin + dt.timedelta(days=horizon)
        return warehouse.frame(DAYS_AHEAD, [origin, origin, end, self.day])
