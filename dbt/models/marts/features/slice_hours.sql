-- Hours lie on a circle: the typical hour of 23 and 1 o'clock is midnight, not noon.
with parts as (
    select
        customer_id,
        order_hour,
        sin(radians(order_hour * 15)) as hour_sine,
        cos(radians(order_hour * 15)) as hour_cosine
    from {{ ref('slice_net_orders') }}
    where order_hour is not null
),
sums as (
    select
        customer_id,
        count(*) as orders_count,
        count(case when order_hour < 6 then 1 end) as night_count,
        count(case when order_hour >= 6 and order_hour < 12 then 1 end) as morning_count,
        count(case when order_hour >= 12 and order_hour < 18 then 1 end) as afternoon_count,
        count(case when order_hour >= 18 then 1 end) as evening_count,
        {{ stable_sum('hour_sine') }} as sine,
        {{ stable_sum('hour_cosine') }} as cosine
    from parts
    group by customer_id
)
select
    customer_id,
    {% for part in ['night', 'morning', 'afternoon', 'evening'] %}
    {{ share_of(part ~ '_count', 'orders_count') }} as {{ part }}_order_share,
    {% endfor %}
    -- Purchases spread evenly over the circle have no typical hour.
    case when sine * sine + cosine * cosine > 0.000001 * orders_count * orders_count then
        case
            when round(degrees(atan2(sine, cosine)) / 15, 2) < 0
                then round(degrees(atan2(sine, cosine)) / 15, 2) + 24
            else round(degrees(atan2(sine, cosine)) / 15, 2) + 0.0
        end
    end as typical_hour
from sums
