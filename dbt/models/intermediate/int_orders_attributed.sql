with mapped as (
    select
        orders.*,
        orders.source_system || ':' || orders.order_id as unique_order_id,
        customers.customer_id,
        {{ business_date('orders.ordered_at') }} as order_date,
        rates.currency_code as order_currency_code,
        rates.rate_to_reporting
    from {{ ref('orders') }} as orders
    inner join {{ ref('order_rates') }} as rates
        on orders.source_system = rates.source_system
        and orders.order_id = rates.order_id
    left join {{ source('identity', 'customers_map') }} as customers
        on orders.source_system = customers.source_system
        and coalesce(orders.source_record_id, 'order:' || orders.order_id) = customers.source_record_id
)
select
    unique_order_id as order_id,
    customer_id,
    source_system,
    store_id,
    action_id,
    status,
    channel,
    order_currency_code as currency_code,
    ordered_at,
    order_date,
    {{ in_reporting_currency('gross_amount', 'rate_to_reporting') }} as gross_amount,
    {{ in_reporting_currency('coalesce(discount_amount, 0)', 'rate_to_reporting') }} as discount_amount,
    rate_to_reporting,
    status is null or lower(status) in ({{ quoted_list(var('counted_statuses')) }}) as is_counted
from mapped
