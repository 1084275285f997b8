select
    customer_id,
    count(*) as orders_count,
    cast(cast(sum(net_amount) as double) / count(*) as {{ money_type() }}) as average_order_amount,
    max(net_amount) as max_order_amount,
    {{ variation_of('net_amount') }} as order_amount_variation,
    {{ share_of('sum(discount_amount)', 'sum(gross_amount)') }} as discount_share,
    {{ share_of('count(case when has_discount then 1 end)', 'count(*)') }} as discounted_order_share,
    {{ share_of(
        'sum(case when has_discount then discount_amount end)', 'sum(case when has_discount then gross_amount end)'
    ) }} as discount_when_discounted_share,
    case when max(max(case when has_coupon then 1 else 0 end)) over () = 1 then
        {{ share_of('count(case when has_coupon then 1 end)', 'count(*)') }}
    end as coupon_order_share,
    {{ share_of('sum(case when is_online then 1 when not is_online then 0 end)', 'count(is_online)') }}
        as online_order_share,
    {{ share_of("count(case when channel = 'app' then 1 end)", 'count(channel)') }} as app_order_share,
    {{ share_of('sum(case when weekday >= 6 then 1 else 0 end)', 'count(*)') }} as weekend_order_share
from {{ ref('slice_net_orders') }}
group by customer_id
