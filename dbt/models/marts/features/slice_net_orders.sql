{{ config(materialized='table') }}

-- An order that refunds have brought to zero or less by the as-of date is no order here.
with net_orders as (
    select customer_id, order_id, sum(revenue_amount) as net_amount
    from {{ ref('slice_ledger') }}
    where order_id is not null and purchase_date <= {{ as_of_date() }}
    group by customer_id, order_id
    having sum(revenue_amount) > 0
)
select
    net_orders.customer_id,
    net_orders.order_id,
    orders.order_date,
    cast(net_orders.net_amount as {{ money_type() }}) as net_amount,
    orders.gross_amount,
    orders.discount_amount,
    orders.discount_amount > 0 as has_discount,
    habits.has_coupon,
    lower(orders.channel) as channel,
    -- Systems number their stores alike.
    orders.source_system || ':' || orders.store_id as store_id,
    orders.is_online,
    habits.order_hour,
    habits.weekday
from net_orders
inner join {{ ref('fct_orders') }} as orders on net_orders.order_id = orders.order_id
left join {{ ref('int_order_habits') }} as habits on net_orders.order_id = habits.order_id
