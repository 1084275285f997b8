with channels as (
    select
        customer_id,
        channel,
        is_online,
        count(*) as orders_count,
        min(order_date) as first_date,
        row_number() over (partition by customer_id order by count(*) desc, channel) as channel_rank
    from {{ ref('slice_net_orders') }}
    where channel is not null
    group by customer_id, channel, is_online
)
select
    customer_id,
    count(*) as channels_count,
    max(case when channel_rank = 1 then channel end) as main_channel,
    {{ share_of('max(orders_count)', 'sum(orders_count)') }} as main_channel_share,
    coalesce(min(case when is_online then first_date end) = min(first_date), false) as is_online_first
from channels
group by customer_id
