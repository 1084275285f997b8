with stores as (
    select customer_id, store_id, count(*) as orders_count
    from {{ ref('slice_net_orders') }}
    where store_id is not null
    group by customer_id, store_id
)
select
    customer_id,
    count(*) as stores_count,
    {{ share_of('max(orders_count)', 'sum(orders_count)') }} as main_store_share
from stores
group by customer_id
