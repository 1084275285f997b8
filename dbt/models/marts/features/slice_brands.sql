with amounts as (
    select orders.customer_id, brands.brand, sum(brands.net_amount) as net_amount
    from {{ ref('int_order_brands') }} as brands
    inner join {{ ref('fct_orders') }} as orders on brands.order_id = orders.order_id
    where orders.is_counted and orders.order_date <= {{ as_of_date() }}
    group by orders.customer_id, brands.brand
    having sum(brands.net_amount) > 0
)
select
    customer_id,
    count(*) as brands_count,
    {{ share_of('max(net_amount)', 'sum(net_amount)') }} as top_brand_share
from amounts
group by customer_id
