-- Small enough to read for every as-of date: 1.5 million lines of the Complete Journey are 0.5 million rows.
select
    order_id,
    category,
    count(*) as lines_count,
    cast(sum(net_amount) as {{ money_type() }}) as net_amount,
    case when count(cost_amount) = count(*) then cast(sum(cost_amount) as {{ money_type() }}) end as cost_amount
from {{ ref('int_order_items_costed') }}
group by order_id, category
