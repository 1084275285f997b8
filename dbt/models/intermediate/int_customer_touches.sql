-- A touch belongs to the record it names, else to its device, else to its e-mail address.
with touches as (
    select 'web_event' as touch_type, occurred_at as touched_at, source_system, source_record_id, device_id, email
    from {{ ref('web_events') }}
    union all
    select 'message', occurred_at, source_system, source_record_id, null, email
    from {{ ref('message_events') }}
    where lower(event_type) = 'sent'
    union all
    select 'action', assigned_at, source_system, source_record_id, null, null
    from {{ ref('action_exposures') }}
    where coalesce(lower(arm), 'treated') = 'treated'
),
attributed as (
    select
        touches.touch_type,
        {{ business_date('touches.touched_at') }} as touch_date,
        coalesce(records.customer_id, devices.customer_id, emails.customer_id) as customer_id
    from touches
    left join {{ ref('lone_record_ids') }} as lone on touches.source_record_id = lone.source_record_id
    left join {{ source('identity', 'customers_map') }} as records
        on coalesce(touches.source_system, lone.source_system) = records.source_system
        and touches.source_record_id = records.source_record_id
    left join {{ ref('device_periods') }} as devices
        on touches.device_id = devices.device_id
        and touches.touched_at >= devices.valid_from
        and touches.touched_at < devices.valid_until
    left join {{ ref('customer_emails') }} as emails on {{ normalised_email('touches.email') }} = emails.email
)
select customer_id, touch_date, touch_type, count(*) as touches_count
from attributed
where customer_id is not null
group by customer_id, touch_date, touch_type
