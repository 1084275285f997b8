-- Why each row is in or out is decided here anew and not read from the ledger, or the two could not disagree.
with judged_orders as (
    select
        received.source_table,
        received.received_amount,
        case
            when received.failed_rule is not null then received.failed_rule
            when orders.order_id is null then null
            when orders.customer_id is null then 'no_person'
            when testers.customer_id is not null then testers.excluded_because
            when not orders.is_counted then 'status_not_counted'
        end as excluded_because,
        'discount' as adjustment,
        -orders.discount_amount as adjustment_amount
    from {{ ref('int_received_amounts') }} as received
    left join {{ ref('int_orders_attributed') }} as orders
        on received.event_id = orders.order_id and received.failed_rule is null
    left join {{ ref('int_test_customers') }} as testers on orders.customer_id = testers.customer_id
    where received.event_type = 'order'
),
judged_refunds as (
    select
        received.source_table,
        received.received_amount,
        case
            when received.failed_rule is not null then received.failed_rule
            when refunds.names_order and refunds.order_id is null then 'refund_of_unknown_order'
            when not orders.is_counted then 'refund_of_uncounted_order'
            when refunds.refund_id is not null and refunds.customer_id is null then 'no_person'
            when testers.customer_id is not null then testers.excluded_because
        end as excluded_because,
        'rate_of_the_order' as adjustment,
        -refunds.refund_amount - received.received_amount as adjustment_amount
    from {{ ref('int_received_amounts') }} as received
    left join {{ ref('int_refunds_attributed') }} as refunds
        on received.event_id = refunds.refund_id and received.failed_rule is null
    left join {{ ref('int_orders_attributed') }} as orders on refunds.order_id = orders.order_id
    left join {{ ref('int_test_customers') }} as testers on refunds.customer_id = testers.customer_id
    where received.event_type = 'refund'
),
judged as (
    select 'order' as event_type, judged_orders.* from judged_orders
    union all
    select 'refund', judged_refunds.* from judged_refunds
),
steps as (
    select source_table, event_type, 1 as step_number, 'received' as reason, received_amount as amount from judged
    union all
    select source_table, event_type, 2, excluded_because, -received_amount
    from judged
    where excluded_because is not null
    union all
    select source_table, event_type, 3, adjustment, adjustment_amount
    from judged
    where excluded_because is null and adjustment_amount <> 0
    union all
    select received.source_table, received.event_type, 4, 'ledger', ledger.revenue_amount
    from {{ ref('fct_revenue_ledger') }} as ledger
    inner join {{ ref('int_received_amounts') }} as received
        on ledger.event_type = received.event_type
        and ledger.event_id = received.event_id
        and received.failed_rule is null
)
select
    source_table,
    event_type,
    step_number,
    reason,
    count(*) as rows_count,
    count(*) - count(amount) as unreadable_rows_count,
    cast(coalesce(sum(amount), 0) as {{ money_type() }}) as amount
from steps
group by source_table, event_type, step_number, reason
