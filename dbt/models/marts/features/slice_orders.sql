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
    count(*) as orders_count,
    cast(cast(sum(net_orders.net_amount) as double) / count(*) as {{ money_type() }}) as average_order_amount,
    {{ share_of('sum(orders.discount_amount)', 'sum(orders.gross_amount)') }} as discount_share,
    {{ share_of(
        'sum(case when orders.is_online then 1 when not orders.is_online then 0 end)', 'count(orders.is_online)'
    ) }} as online_order_share,
    {{ share_of(
        'sum(case when ' ~ is_weekend('orders.order_date') ~ ' then 1 else 0 end)', 'count(*)'
    ) }} as weekend_order_share
from net_orders
inner join {{ ref('fct_orders') }} as orders on net_orders.order_id = orders.order_id
group by net_orders.customer_id
