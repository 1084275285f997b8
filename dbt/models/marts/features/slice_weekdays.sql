with days as (
    select customer_id, weekday, count(*) as orders_count
    from {{ ref('slice_net_orders') }}
    group by customer_id, weekday
),
shares as (
    select
        customer_id,
        cast(orders_count as double) / cast(sum(orders_count) over (partition by customer_id) as double) as share
    from days
)
select customer_id, {{ entropy('share') }} as weekday_entropy
from shares
group by customer_id
