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
        {{ joined_person() }} as customer_id
    from touches
    {{ join_person('touches', 'touched_at') }}
)
select customer_id, touch_date, touch_type, count(*) as touches_count
from attributed
where customer_id is not null
group by customer_id, touch_date, touch_type
