-- A refund in the order's currency is worth what the order was worth: a full refund leaves exactly nothing.
with refunds as (
    select
        refunds.*,
        orders.order_id as unique_order_id,
        orders.customer_id as order_customer_id,
        orders.currency_code as order_currency_code,
        orders.rate_to_reporting as order_rate,
        {{ business_date('refunds.refunded_at') }} as refund_date
    from {{ ref('refunds') }} as refunds
    left join {{ ref('int_orders_attributed') }} as orders
        on refunds.source_system || ':' || refunds.order_id = orders.order_id
)
select
    refunds.source_system || ':' || refunds.refund_id as refund_id,
    refunds.unique_order_id as order_id,
    coalesce(refunds.order_customer_id, customers.customer_id) as customer_id,
    refunds.refund_date,
    refunds.order_id is not null as names_order,
    {{ in_reporting_currency(
        'refunds.refund_amount',
        "case
            when coalesce(refunds.currency_code, refunds.order_currency_code) = refunds.order_currency_code
                then refunds.order_rate
            else coalesce(rates.rate_to_reporting, 1)
        end",
    ) }} as refund_amount
from refunds
left join {{ source('identity', 'customers_map') }} as customers
    on refunds.source_system = customers.source_system
    and refunds.source_record_id = customers.source_record_id
left join {{ ref('exchange_rate_periods') }} as rates
    on refunds.currency_code = rates.currency_code
    and refunds.currency_code <> '{{ var("reporting_currency") }}'
    and refunds.refund_date >= rates.valid_from
    and refunds.refund_date < rates.valid_until
