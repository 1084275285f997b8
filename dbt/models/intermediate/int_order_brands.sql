select
    order_id,
    brand,
    cast(sum(net_amount) as {{ money_type() }}) as net_amount
from {{ ref('int_order_items_costed') }}
where brand is not null
group by order_id, brand
