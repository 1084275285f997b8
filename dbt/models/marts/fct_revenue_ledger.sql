-- A refund counts when its order counts; one that names an order nobody knows takes back what never came in, and
-- does not. It counts on its own day, but never before the order it belongs to.
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
refunds as (
    select
        refunds.customer_id,
        refunds.order_id,
        refunds.refund_id,
        case
            when refunds.refund_date < order_events.purchase_date then order_events.purchase_date
            else refunds.refund_date
        end as event_date,
        order_events.purchase_date,
        refunds.refund_amount,
        order_events.revenue_amount as order_revenue_amount,
        order_events.margin_amount as order_margin_amount
    from {{ ref('int_refunds_attributed') }} as refunds
    left join order_events on refunds.order_id = order_events.order_id
    where order_events.order_id is not null or not refunds.names_order
),
-- To date, so that refunds in several parts end at the same cent as one refund of everything.
refunds_to_date as (
    select
        refunds.*,
        sum(refund_amount) over (
            partition by order_id order by event_date, refund_id
            rows between unbounded preceding and current row
        ) as refunded_amount
    from refunds
),
refund_events as (
    select
        customer_id,
        order_id,
        refund_id as event_id,
        event_date,
        purchase_date,
        'refund' as event_type,
        cast(-refund_amount as {{ money_type() }}) as revenue_amount,
        cast(
            {{ refunded_margin('(refunded_amount - refund_amount)', 'order_revenue_amount', 'order_margin_amount') }}
            - {{ refunded_margin('refunded_amount', 'order_revenue_amount', 'order_margin_amount') }}
            as {{ money_type() }}
        ) as margin_amount
    from refunds_to_date
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
