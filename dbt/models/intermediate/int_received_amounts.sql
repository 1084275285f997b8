{{ config(materialized='view') }}

-- Each row is worth what it would be at the rate of its own day, refused or not; NULL when amount, day or rate
-- cannot be read.
with received as (
    select
        'order' as event_type,
        source_table,
        source_system || ':' || order_id as event_id,
        failed_rule,
        gross_amount as amount,
        coalesce(currency_code, '{{ var("reporting_currency") }}') as currency_code,
        {{ business_date('ordered_at') }} as event_date
    from {{ ref('orders_checked') }}
    union all
    select
        'refund',
        source_table,
        source_system || ':' || refund_id,
        failed_rule,
        -refund_amount,
        coalesce(currency_code, '{{ var("reporting_currency") }}'),
        {{ business_date('refunded_at') }}
    from {{ ref('refunds_checked') }}
)
select
    received.event_type,
    received.source_table,
    received.event_id,
    received.failed_rule,
    {{ in_reporting_currency(
        'received.amount',
        "case when received.currency_code = '" ~ var('reporting_currency') ~ "' then 1 else rates.rate_to_reporting end",
    ) }} as received_amount
from received
left join {{ ref('exchange_rate_periods') }} as rates
    on received.currency_code = rates.currency_code
    and received.event_date >= rates.valid_from
    and received.event_date < rates.valid_until
