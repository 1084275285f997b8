-- A message is dated by its first event, so that what becomes of it later does not move it.
with events as (
    select
        events.message_id,
        events.event_type,
        {{ joined_person() }} as customer_id,
        {{ business_date('events.occurred_at') }} as event_date
    from (
        select message_id, event_type, occurred_at, source_system, source_record_id, email,
            cast(null as {{ dbt.type_string() }}) as device_id
        from {{ ref('message_events') }}
    ) as events
    {{ join_person('events', 'occurred_at') }}
)
select
    customer_id,
    message_id,
    min(event_date) as message_date,
    min(case when {{ is_event('event_type', 'sent') }} then event_date end) as sent_date,
    min(case when {{ is_event('event_type', 'opened') }} then event_date end) as opened_date,
    min(case when {{ is_event('event_type', 'clicked') }} then event_date end) as clicked_date,
    min(case when {{ is_event('event_type', 'unsubscribed') }} then event_date end) as unsubscribed_date
from events
where customer_id is not null
group by customer_id, message_id
