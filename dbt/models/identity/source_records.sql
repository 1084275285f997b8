-- Whoever was ever seen: records of a source system, guest orders and devices, each once.
with sightings as (
    select source_system, source_record_id, 'customer_record' as record_type, created_at as seen_at
    from {{ ref('customer_records') }}
    union all
    select source_system, source_record_id, 'customer_record', updated_at from {{ ref('customer_records') }}
    union all
    select source_system, source_record_id, 'customer_record', first_seen_at from {{ ref('identifiers') }}
    union all
    select source_system, source_record_id, 'customer_record', last_seen_at from {{ ref('identifiers') }}
    union all
    select
        source_system,
        coalesce(source_record_id, 'order:' || order_id),
        case when source_record_id is null then 'guest_order' else 'customer_record' end,
        ordered_at
    from {{ ref('orders') }}
    union all
    select source_system, source_record_id, 'customer_record', refunded_at
    from {{ ref('refunds') }}
    where source_record_id is not null
    union all
    select source_system, source_record_id, 'customer_record', occurred_at
    from {{ ref('web_events') }}
    where source_system is not null and source_record_id is not null
    union all
    select 'device', device_id, 'device', occurred_at from {{ ref('web_events') }} where device_id is not null
    union all
    select 'device', device_id, 'device', visited_at from {{ ref('visits') }} where device_id is not null
)
select
    source_system,
    source_record_id,
    min(record_type) as record_type,
    min(seen_at) as first_seen_at,
    max(seen_at) as last_seen_at
from sightings
group by source_system, source_record_id
