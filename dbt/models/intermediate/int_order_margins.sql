{{ config(materialized='view') }}

with costs as (
    select
        order_id,
        case when count(cost_amount) = count(*) then {{ try_cast('sum(cost_amount)', money_type()) }} end as cost_amount
    from {{ ref('int_order_categories') }}
    group by order_id
)
select
    orders.order_id,
    cast(orders.gross_amount - orders.discount_amount as {{ money_type() }}) as revenue_amount,
    {{ try_cast('orders.gross_amount - orders.discount_amount - costs.cost_amount', money_type()) }} as margin_amount
from {{ ref('int_orders_attributed') }} as orders
left join costs on orders.order_id = costs.order_id
