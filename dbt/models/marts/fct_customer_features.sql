{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='as_of_date',
    on_schema_change='append_new_columns',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where as_of_date = {{ as_of_date() }}{% endif %}",
) }}

-- The hook is for a slice that has become empty: the strategy deletes only the dates it inserts.
-- What a customer lacks is zero where it can be counted, and NULL where the source was never delivered.
with customers as (
    select * from {{ ref('dim_customers') }}
    where not is_test and first_seen_date <= {{ as_of_date() }}
)
select
    customers.customer_id,
    {{ as_of_date() }} as as_of_date,
    customers.first_seen_date,
    purchases.first_purchase_date,
    purchases.last_purchase_date,
    coalesce(orders.orders_count, 0) as orders_count,
    coalesce(purchases.purchase_days_count, 0) as purchase_days_count,
    purchases.purchase_days_count - 1 as repeat_purchase_days_count,
    {{ days_between('purchases.first_purchase_date', as_of_date()) }} as tenure_days,
    {{ days_between('purchases.first_purchase_date', 'purchases.last_purchase_date') }} as active_span_days,
    {{ days_between('purchases.last_purchase_date', as_of_date()) }} as recency_days,
    cast(purchases.first_purchase_amount as {{ money_type() }}) as first_purchase_amount,
    cast(purchases.repeat_purchase_amount as {{ money_type() }}) as repeat_purchase_amount,
    purchases.purchase_log_amount_sum,
    purchases.first_purchase_log_amount,
    cast(coalesce(value.observed_revenue_amount, 0) as {{ money_type() }}) as observed_revenue_amount,
    cast(value.observed_margin_amount as {{ money_type() }}) as observed_margin_amount,
    cast(coalesce(value.revenue_90d_amount, 0) as {{ money_type() }}) as revenue_90d_amount,
    cast(coalesce(value.revenue_365d_amount, 0) as {{ money_type() }}) as revenue_365d_amount,
    orders.average_order_amount,
    cast(purchases.median_gap_days as double) as median_gap_days,
    purchases.days_between_last_two_purchases,
    orders.discount_share,
    value.refund_share,
    cast(case when delivered.has_items then coalesce(categories.categories_count, 0) end as bigint) as categories_count,
    categories.top_category_share,
    orders.online_order_share,
    orders.weekend_order_share,
    cast(case when delivered.has_web_events then coalesce(touches.web_events_30d_count, 0) end as bigint) as web_events_30d_count,
    cast(case when delivered.has_messages then coalesce(touches.messages_90d_count, 0) end as bigint) as messages_90d_count,
    cast(case when delivered.has_actions then coalesce(touches.actions_90d_count, 0) end as bigint) as actions_90d_count,
    customers.acquisition_channel,
    customers.region,
    customers.income_band,
    customers.household_size
from customers
cross join {{ ref('int_delivered_sources') }} as delivered
left join {{ ref('slice_purchases') }} as purchases on customers.customer_id = purchases.customer_id
left join {{ ref('slice_value') }} as value on customers.customer_id = value.customer_id
left join {{ ref('slice_orders') }} as orders on customers.customer_id = orders.customer_id
left join {{ ref('slice_categories') }} as categories on customers.customer_id = categories.customer_id
left join {{ ref('slice_touches') }} as touches on customers.customer_id = touches.customer_id
