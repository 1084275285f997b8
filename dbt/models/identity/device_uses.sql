{{ config(materialized='view') }}

-- Everything that happened on a device, with the person where one logged in or ordered.
select
    web_events.device_id,
    web_events.occurred_at as used_at,
    coalesce(records.customer_id, emails.customer_id) as customer_id
from {{ ref('web_events') }} as web_events
left join {{ ref('lone_record_ids') }} as lone on web_events.source_record_id = lone.source_record_id
left join {{ source('identity', 'customers_map') }} as records
    on coalesce(web_events.source_system, lone.source_system) = records.source_system
    and web_events.source_record_id = records.source_record_id
left join {{ ref('customer_emails') }} as emails on {{ normalised_email('web_events.email') }} = emails.email
where web_events.device_id is not null
union all
select orders.device_id, orders.ordered_at, records.customer_id
from {{ ref('orders') }} as orders
inner join {{ source('identity', 'customers_map') }} as records
    on orders.source_system = records.source_system
    and coalesce(orders.source_record_id, 'order:' || orders.order_id) = records.source_record_id
where orders.device_id is not null
    and coalesce(orders.source_record_id, orders.email, orders.loyalty_id) is not null
