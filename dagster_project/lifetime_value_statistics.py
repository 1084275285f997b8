"""SQL of the grouped rows that lifetime value is fitted on.

Add here a statement when a part of the model needs a new sufficient statistic. What the columns
mean is in models_py/frames.py; steps and files are in assets/lifetime_value_fit.py.
"""

from collections.abc import Sequence

PURCHASE_GROUPS = """
    select repeat_purchase_days_count as repeat_purchases_count, active_span_days, tenure_days,
        count(*) as customers_count
    from marts.fct_customer_features where as_of_date = ? and purchase_days_count >= 1
    group by all order by 1, 2, 3
"""
# What purchase parameters may be pooled over: known before any segment, and of every customer.
POOLS = {
    "acquisition_channel": "coalesce(acquisition_channel, 'unknown')",
    "acquisition_quarter": "strftime(as_of_date - cast(tenure_days as integer), '%Y') || 'Q' "
    "|| quarter(as_of_date - cast(tenure_days as integer))",
}
# The bins are those of models_py.lifetime_value.grouping; a test holds the two together.
SPEND_GROUPS = """
    select repeat_purchases_count, count(*) as customers_count,
        cast(sum(first_purchase_amount) as double) as first_amount_sum,
        cast(sum(repeat_purchase_amount) as double) as repeat_amount_sum,
        cast(sum(cast(first_purchase_log_amount as decimal(18, 9))) as double)
            as first_log_amount_sum,
        cast(sum(cast(purchase_log_amount_sum as decimal(18, 9))) as double) as log_amount_sum
    from (
        select *, repeat_purchase_days_count as repeat_purchases_count,
            floor(20 * ln(first_purchase_amount)) as first_bin,
            case when repeat_purchase_days_count > 0
                then floor(20 * ln(repeat_purchase_amount)) end as repeat_bin
        from marts.fct_customer_features where as_of_date = ? and purchase_days_count >= 1
    )
    group by repeat_purchases_count, first_bin, repeat_bin
    order by repeat_purchases_count, first_bin, repeat_bin
"""
# Purchase days as the features count them: net of refunds known by the date, above zero.
LAST_ORDERS = """
    with days as (
        select customer_id, purchase_date, sum(revenue_amount) as amount
        from marts.fct_revenue_ledger where event_date <= $1 and purchase_date <= $1
        group by customer_id, purchase_date having sum(revenue_amount) > 0
    ),
    customers as (
        select customer_id, count(*) - 1 as x, min_by(amount, purchase_date) as first_amount,
            max_by(amount, purchase_date) as last_amount, sum(amount) as all_amount
        from days group by customer_id
    ),
    parted as (
        select x, first_amount, last_amount,
            case when x > 1 then all_amount - first_amount - last_amount else 0 end as earlier
        from customers
    )
    select x as repeat_purchases_count, count(*) as customers_count,
        cast(sum(first_amount) as double) as first_amount_sum,
        cast(sum(earlier) as double) as earlier_amount_sum,
        cast(sum(last_amount) as double) as last_amount_sum
    from parted
    group by x, floor(20 * ln(first_amount)), floor(20 * ln(last_amount)),
        case when earlier > 0 then floor(20 * ln(earlier)) end
    order by all
"""
# Only where refunds are delivered. Money in whole cents, so that no sum depends on its order.
REFUND_LAGS = """
    with ledger as (
        select purchase_date, event_date, event_type, revenue_amount as amount
        from marts.fct_revenue_ledger where event_date <= $1
    ),
    lags as (
        select date_diff('day', purchase_date, cast($1 as date)) as days_count,
            amount as ordered, 0 as refunded
        from ledger where event_type = 'order'
        union all
        select date_diff('day', purchase_date, event_date), 0, -amount
        from ledger where event_type = 'refund'
    )
    select days_count, cast(sum(ordered) as double) as ordered_amount_sum,
        cast(sum(refunded) as double) as refunded_amount_sum,
        cast(sum(cast(refunded * refunded as decimal(38, 4))) as double)
            as refunded_amount_squared_sum
    from lags group by days_count having exists (
        select 1 from marts.fct_customer_features
        where as_of_date = $1 and refunds_count is not null
    ) order by days_count
"""
# The bins are those of models_py.lifetime_value.margins. Ratios are rounded, as the logs above.
MARGIN_GROUPS = """
    with orders as (
        select customer_id, order_id, sum(revenue_amount) as revenue,
            case when count(margin_amount) = count(*) then sum(margin_amount) end as margin
        from marts.fct_revenue_ledger where event_date <= $1 and order_id is not null
        group by customer_id, order_id having sum(revenue_amount) > 0
    ),
    customers as (
        select customer_id, count(*) as orders_count, cast(sum(revenue) as double) as revenue,
            cast(sum(margin) as double) as margin,
            sum(cast(cast(margin as double) ** 2 / cast(revenue as double) as decimal(38, 9)))
                as order_squares
        from orders group by customer_id having count(margin) = count(*)
    )
    select count(*) as customers_count, cast(sum(orders_count) as bigint) as orders_count,
        cast(sum(cast(revenue as decimal(38, 2))) as double) as revenue_sum,
        cast(sum(cast(margin / revenue as decimal(38, 9))) as double) as margin_rate_sum,
        cast(sum(cast((margin / revenue) ** 2 as decimal(38, 9))) as double)
            as margin_rate_squared_sum,
        cast(sum(cast(margin ** 2 / revenue as decimal(38, 9))) as double)
            as margin_squared_per_revenue_sum,
        cast(sum(order_squares) as double) as order_margin_squared_per_revenue_sum
    from customers group by floor(4 * ln(revenue)) order by min(revenue)
"""
# Weeks that end on the date, back to the first purchase of all, without the one that has it: of
# that week only a part is known. Whoever is won on a day is at risk from the next one on.
WEEKLY_PURCHASES = """
    with days as (
        select customer_id, date_diff('day', purchase_date, cast($1 as date)) as age
        from marts.fct_revenue_ledger where event_date <= $1 and purchase_date <= $1
        group by customer_id, purchase_date having sum(revenue_amount) > 0
    ),
    marked as (
        select age // 7 as week, age % 7 as days_left,
            age = max(age) over (partition by customer_id) as is_first
        from days
    ),
    counted as (
        select week, count(*) filter (where not is_first) as bought,
            count(*) filter (where is_first) as won,
            coalesce(sum(days_left) filter (where is_first), 0) as days_won
        from marked group by week
    ),
    weeks as (
        select number.week, coalesce(bought, 0) as bought, coalesce(days_won, 0) as days_won,
            coalesce(sum(won) over (order by number.week desc
                rows between unbounded preceding and 1 preceding), 0) as won_before
        from (select unnest(range((select max(week) + 1 from counted))) as week) as number
        left join counted using (week)
    )
    select cast($1 as date) - cast(7 * week + 6 as integer) as week_start_date,
        cast(bought as bigint) as repeat_purchases_count,
        cast(7 * won_before + days_won as double) / 7 as customers_at_risk_count
    from weeks where week < (select max(week) from counted) order by week_start_date
"""
# File of the statistics, and the argument of `LifetimeValue.fit` that takes them.
OPTIONAL_PARTS = {
    "last_orders": LAST_ORDERS,
    "refund_lags": REFUND_LAGS,
    "margin_groups": MARGIN_GROUPS,
}


def purchase_groups(pool_by: str | None, covariates: Sequence[str] = ()) -> str:
    """SQL of purchase groups; with a column ``pool`` where parameters differ by `pool_by`.

    With `covariates` a group has these columns in common too, as they are delivered.
    """
    keys = [] if pool_by is None else [f"'{pool_by}=' || {POOLS[pool_by]} as pool"]
    keys += covariates
    added = "".join(f"{key}, " for key in keys)
    places = ", ".join(str(place + 1) for place in range(len(keys) + 3))
    groups = PURCHASE_GROUPS.replace("select ", f"select {added}", 1)
    return groups.replace("order by 1, 2, 3", f"order by {places}")
