-- A refund counts when its order counts, and takes the order's share of margin back with it.
with order_events as (
    select
        orders.customer_id,
        orders.order_id,
        orders.order_id as event_id,
        orders.order_date as event_date,
        orders.order_date as purchase_date,
        'order' as event_type,
        margins.revenue_amount,
        margins.margin_amount
    from {{ ref('int_orders_attributed') }} as orders
    inner join {{ ref('int_order_margins') }} as margins on orders.order_id = margins.order_id
    where orders.is_counted
),
refund_events as (
    select
        refunds.customer_id,
        refunds.order_id,
        refunds.refund_id as event_id,
        refunds.refund_date as event_date,
        order_events.purchase_date,
        'refund' as event_type,
        cast(-refunds.refund_amount as {{ money_type() }}) as revenue_amount,
        case
            when order_events.revenue_amount <> 0 then cast(
                -cast(refunds.refund_amount as double) * cast(order_events.margin_amount as double)
                / cast(order_events.revenue_amount as double) as {{ money_type() }}
            )
        end as margin_amount
    from {{ ref('int_refunds_attributed') }} as refunds
    left join order_events on refunds.order_id = order_events.order_id
    where order_events.order_id is not null or not refunds.names_order
),
events as (
    select * from order_events
    union all
    select * from refund_events
)
select events.*
from events
left join {{ ref('int_test_customers') }} as testers on events.customer_id = testers.customer_id
where events.customer_id is not null and testers.customer_id is null
