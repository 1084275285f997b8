-- Refunds are worth what their order was worth, so its currency and rate are known before they are judged.
select
    orders.source_system,
    orders.order_id,
    coalesce(orders.currency_code, '{{ var("reporting_currency") }}') as currency_code,
    coalesce(rates.rate_to_reporting, 1) as rate_to_reporting
from {{ ref('orders') }} as orders
left join {{ ref('exchange_rate_periods') }} as rates
    on orders.currency_code = rates.currency_code
    and orders.currency_code <> '{{ var("reporting_currency") }}'
    and {{ business_date('orders.ordered_at') }} >= rates.valid_from
    and {{ business_date('orders.ordered_at') }} < rates.valid_until
