-- Refunds and margin are what is known today; a point-in-time total comes from the ledger.
with refunds as (
    select order_id, cast(sum(refund_amount) as {{ money_type() }}) as refund_amount
    from {{ ref('int_refunds_attributed') }}
    where order_id is not null
    group by order_id
),
margins as (
    select order_id, cast(sum(margin_amount) as {{ money_type() }}) as margin_amount
    from {{ ref('fct_revenue_ledger') }}
    where order_id is not null
    group by order_id
    having count(margin_amount) = count(*)
)
select
    orders.order_id,
    orders.customer_id,
    orders.source_system,
    orders.store_id,
    orders.action_id,
    orders.status,
    orders.channel,
    orders.currency_code,
    orders.is_counted and testers.customer_id is null and orders.customer_id is not null as is_counted,
    lower(orders.channel) in ({{ quoted_list(var('online_channels')) }}) as is_online,
    orders.gross_amount,
    orders.discount_amount,
    coalesce(refunds.refund_amount, 0) as refund_amount,
    cast(
        orders.gross_amount - orders.discount_amount - coalesce(refunds.refund_amount, 0) as {{ money_type() }}
    ) as net_revenue_amount,
    margins.margin_amount,
    orders.ordered_at,
    orders.order_date
from {{ ref('int_orders_attributed') }} as orders
left join refunds on orders.order_id = refunds.order_id
left join margins on orders.order_id = margins.order_id
left join {{ ref('int_test_customers') }} as testers on orders.customer_id = testers.customer_id
