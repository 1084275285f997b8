select
    orders.source_system || ':' || orders.order_id as order_id,
    {{ business_hour('orders.ordered_at') }} as order_hour,
    {{ weekday_number(business_date('orders.ordered_at')) }} as weekday,
    orders.coupon_code is not null as has_coupon
from {{ ref('orders') }} as orders
