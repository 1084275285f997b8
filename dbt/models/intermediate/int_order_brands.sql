select
    order_id,
    brand,
    {{ try_cast('sum(net_amount)', money_type()) }} as net_amount
from {{ ref('int_order_items_costed') }}
where brand is not null
group by order_id, brand
