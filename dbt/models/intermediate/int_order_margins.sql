{{ config(materialized='view') }}

with costs as (
    select
        order_id,
        case when count(cost_amount) = count(*) then {{ try_cast('sum(cost_amount)', money_type()) }} end as cost_amount
    from {{ ref('int_order_categories') }}
    group by order_id
),
-- A line set aside had a cost too, which nobody knows; repetitions and what was no sale of goods had none.
lines_set_aside as (
    select distinct source_system || ':' || order_id as order_id
    from {{ ref('order_items_checked') }}
    where failed_rule not in ('duplicate', 'superseded', 'not_goods', 'deleted_at_source')
)
select
    orders.order_id,
    cast(orders.gross_amount - orders.discount_amount as {{ money_type() }}) as revenue_amount,
    case when lines_set_aside.order_id is null then
        {{ try_cast('orders.gross_amount - orders.discount_amount - costs.cost_amount', money_type()) }}
    end as margin_amount
from {{ ref('int_orders_attributed') }} as orders
left join costs on orders.order_id = costs.order_id
left join lines_set_aside on orders.order_id = lines_set_aside.order_id
