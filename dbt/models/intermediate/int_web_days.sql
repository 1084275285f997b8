-- A silence longer than the session gap begins a new session, which counts on the day it begins. Events before the
-- first login on a device stand apart from others of the day: they are known to be the person's later.
with events as (
    select
        {{ joined_person() }} as customer_id,
        {{ joined_known_date('events', 'occurred_at') }} as known_date,
        events.event_id,
        events.device_id,
        events.occurred_at,
        events.event_type
    from {{ ref('web_events') }} as events
    {{ join_person('events', 'occurred_at') }}
),
gaps as (
    select
        customer_id,
        known_date,
        event_type,
        {{ business_date('occurred_at') }} as event_date,
        {{ minutes_between(
            'lag(occurred_at) over (partition by customer_id, device_id order by occurred_at, event_id)', 'occurred_at'
        ) }} as gap_minutes
    from events
    where customer_id is not null
)
select
    customer_id,
    event_date,
    known_date,
    count(case when coalesce(gap_minutes > {{ var('session_gap_minutes') }}, true) then 1 end) as sessions_count,
    count(case when {{ is_event('event_type', 'product_view') }} then 1 end) as product_views_count,
    count(case when {{ is_event('event_type', 'cart_add') }} then 1 end) as cart_adds_count
from gaps
group by customer_id, event_date, known_date
