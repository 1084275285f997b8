-- One contact counts once: a message however often its sending is told, and an action only until the day on which
-- a message of it was sent to the same person. What is known to be undelivered was no contact.
with touches as (
    select
        'web_event' as touch_type, occurred_at as touched_at, source_system, source_record_id, device_id, email,
        cast(null as {{ dbt.type_string() }}) as message_id,
        cast(null as {{ dbt.type_string() }}) as action_id
    from {{ ref('web_events') }}
    union all
    select 'message', occurred_at, source_system, source_record_id, null, email, message_id, action_id
    from {{ ref('message_events') }}
    where {{ is_event('event_type', 'sent') }}
    union all
    select 'action', assigned_at, source_system, source_record_id, null, null, null, action_id
    from {{ ref('action_exposures') }}
    where coalesce(lower(arm), 'treated') = 'treated' and coalesce(is_delivered, true)
),
attributed as (
    select
        touches.touch_type,
        touches.message_id,
        touches.action_id,
        {{ business_date('touches.touched_at') }} as touch_date,
        {{ joined_known_date('touches', 'touched_at') }} as known_date,
        {{ joined_person() }} as customer_id
    from touches
    {{ join_person('touches', 'touched_at') }}
),
messages as (
    select customer_id, message_id, min(touch_date) as touch_date
    from attributed
    where touch_type = 'message'
    group by customer_id, message_id
),
actions_sent as (
    select customer_id, action_id, min(touch_date) as message_date
    from attributed
    where touch_type = 'message' and action_id is not null
    group by customer_id, action_id
),
counted as (
    select customer_id, touch_date, known_date, touch_type, cast('2200-01-01' as date) as counts_until
    from attributed
    where touch_type = 'web_event'
    union all
    select customer_id, touch_date, touch_date, 'message', cast('2200-01-01' as date)
    from messages
    union all
    select
        actions.customer_id,
        actions.touch_date,
        actions.touch_date,
        'action',
        coalesce(actions_sent.message_date, cast('2200-01-01' as date))
    from attributed as actions
    left join actions_sent
        on actions.customer_id = actions_sent.customer_id
        and actions.action_id = actions_sent.action_id
    where actions.touch_type = 'action'
)
select customer_id, touch_date, known_date, touch_type, counts_until, count(*) as touches_count
from counted
where customer_id is not null
group by customer_id, touch_date, known_date, touch_type, counts_until
