"""Rank and tier of customers, by SQL over a finished slice: what is relative by nature.

Add here another order of customers within a slice. Values themselves are predicted in models_py,
limits of tiers are in config.yml.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from dagster_project.result_tables import CUSTOMER_LTV
from dagster_project.sql_text import literal
from dagster_project.warehouse import Warehouse


def rank_customers(
    warehouse: Warehouse, as_of_date: dt.date, horizon_days: int, tiers: Mapping[str, float]
) -> None:
    """Fill value_rank and value_tier of a slice of predictions.customer_ltv.

    Rank 1 is the highest predicted_revenue_mean at ``horizon_days``; ties go by customer_id, so
    that ranks are distinct and a repeated slice ranks alike. A tier that begins at quantile q holds
    the ranks up to (1 - q) of all customers, rounded up: with few customers the best tier is not
    empty.

    Parameters
    ----------
    tiers
        Name to the quantile it begins at, best first, the last 0.
    """
    cases = " ".join(
        # In billionths, because 1 - 0.8 of 10 customers is more than 2 as a double.
        f"when (value_rank - 1) * 1000000000 < customers_count * {round((1 - start) * 1e9)} "
        f"then {literal(name)}"
        for name, start in tiers.items()
    )
    warehouse.connection.execute(
        f"update {CUSTOMER_LTV.full_name} as slice set value_rank = ranked.value_rank, "
        "value_tier = ranked.value_tier from ("
        f"select customer_id, value_rank, case {cases} end as value_tier from ("
        "select customer_id, count(*) over () as customers_count, row_number() over ("
        "order by predicted_revenue_mean desc, customer_id) as value_rank "
        f"from {CUSTOMER_LTV.full_name} where as_of_date = ? and horizon_days = ?)) as ranked "
        "where slice.as_of_date = ? and slice.customer_id = ranked.customer_id",
        [as_of_date, horizon_days, as_of_date],
    )
