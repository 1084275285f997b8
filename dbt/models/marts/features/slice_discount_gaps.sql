-- Whoever waits for offers comes back later to a discounted purchase than to another.
with discounted_days as (
    select distinct customer_id, order_date
    from {{ ref('slice_net_orders') }}
    where has_discount
),
gaps as (
    select days.customer_id, days.gap_days, discounted.customer_id is not null as is_discounted
    from {{ ref('slice_purchase_days') }} as days
    left join discounted_days as discounted
        on days.customer_id = discounted.customer_id
        and days.purchase_date = discounted.order_date
    where days.gap_days is not null
)
select
    customer_id,
    avg(case when is_discounted then gap_days end) - avg(case when not is_discounted then gap_days end)
        as discount_gap_difference_days
from gaps
group by customer_id
