-- Small enough to read for every as-of date: 1.5 million lines of the Complete Journey are 0.5 million rows.
select
    order_id,
    category,
    {{ try_cast('sum(net_amount)', money_type()) }} as net_amount,
    case when count(cost_amount) = count(*) then {{ try_cast('sum(cost_amount)', money_type()) }} end as cost_amount
from {{ ref('int_order_items_costed') }}
group by order_id, category
