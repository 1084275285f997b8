"""Totals that must agree before a date is shown: each is a row of models.kpi_reconciliation.

Add here two figures that a reader could add up to different results. What else refuses a date is in
assets/publish.py.
"""

from __future__ import annotations

LEDGER_CHECK = "observed revenue equals the ledger"
LEDGER = f"""
    select '{LEDGER_CHECK}' as check_name,
        (select coalesce(sum(observed_revenue_amount), 0) from marts.fct_customer_features
         where as_of_date = {{day}}) as left_value,
        (select coalesce(sum(revenue_amount), 0) from marts.fct_revenue_ledger
         where event_date <= {{day}}) as right_value
"""
# Sums of predictions are doubles: they agree when less than half a cent apart.
GROUPS = {
    "stages": "predictions.stage_ltv",
    "micro-segments": "predictions.microsegment_ltv",
    "cohorts": "predictions.cohort_ltv",
    "customers": "predictions.customer_ltv",
}
PREDICTED = """
    select '{name} predict what the base does, ' || horizon_days || ' days' as check_name,
        coalesce(parts.total, 0) as left_value, coalesce(whole.predicted_revenue_mean, 0)
            as right_value
    from (select horizon_days, sum(cast(predicted_revenue_mean as decimal(38, 9))) as total
        from {table} where as_of_date = {day} and horizon_days > 0 group by horizon_days) as parts
    full join (select * from predictions.portfolio_ltv where as_of_date = {day}) as whole
        using (horizon_days)
"""
OBSERVED = """
    select 'cohorts observed what the base did' as check_name,
        (select coalesce(sum(observed_revenue_amount), 0) from predictions.cohort_ltv as rows
         where as_of_date = {day} and horizon_days = 0 and age_months = (
            select max(age_months) from predictions.cohort_ltv as same where as_of_date = {day}
            and same.acquisition_month = rows.acquisition_month
            and same.acquisition_channel = rows.acquisition_channel)) as left_value,
        (select coalesce(max(observed_revenue_amount), 0) from predictions.portfolio_ltv
         where as_of_date = {day}) as right_value
"""
CHANGE = """
    select 'parts of the change make the change, ' || horizon_days || ' days' as check_name,
        previous_revenue_amount + departed_change_amount + behaviour_change_amount
            + new_customers_change_amount + model_change_amount as left_value,
        cast(predicted_revenue_mean as decimal(18, 2)) as right_value
    from predictions.portfolio_ltv
    where as_of_date = {day} and previous_revenue_amount is not null
"""


def exact_sql(day: str) -> str:
    """Two sums of money that are equal to the cent.

    Parameters
    ----------
    day
        SQL of the date.
    """
    return (
        f"select cast({day} as date) as as_of_date, *, left_value - right_value as difference, "
        f"left_value = right_value as is_passed from ({LEDGER.format(day=day)})"
    )


def totals_sql(day: str) -> str:
    """Sums of value by group against the base, and the parts of the change against the change."""
    parts = [
        *(PREDICTED.format(name=name, table=table, day=day) for name, table in GROUPS.items()),
        OBSERVED.format(day=day),
        CHANGE.format(day=day),
    ]
    doubles = " union all ".join(
        "select check_name, cast(left_value as double) as left_value, "
        f"cast(right_value as double) as right_value from ({part})"
        for part in parts
    )
    # The left figure is shown as the right one and the difference, so that two that agree are not
    # rounded to different cents.
    return (
        f"select cast({day} as date) as as_of_date, check_name, "
        "cast(right_value as decimal(18, 2)) + difference as left_value, "
        "cast(right_value as decimal(18, 2)) as right_value, difference, is_passed from ("
        "select *, cast(left_value - right_value as decimal(18, 2)) as difference, "
        f"abs(left_value - right_value) < 0.005 as is_passed from ({doubles})) order by check_name"
    )
