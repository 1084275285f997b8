-- Opens and clicks share the message of their campaign or flow; the first one of a message is taken, since a
-- share counts messages and a later one must not move a day that is past. Received means sent here. Not
-- mapped: orders and other events that no message or visit to the site made.
with events as (
    select
        klaviyo_events_named.*,
        {{ klaviyo_event_type('message_events', 'event_name') }} as event_type,
        {{ cast_text('occurred_at_text', 'timestamp') }} as occurred_at
    from {{ ref('klaviyo_events_named') }} as klaviyo_events_named
    where {{ klaviyo_event_type('message_events', 'event_name') }} is not null
),
messages as (
    select events.*, {{ klaviyo_message_id() }} as message_id from events where not is_deleted
    union all
    select events.*, event_id as message_id from events where is_deleted
),
numbered as (
    select
        messages.*,
        row_number() over (
            partition by message_id, event_type, is_deleted
            order by case when occurred_at is null then 1 else 0 end, occurred_at, _row_number
        ) as occurrence
    from messages
)
select
    {{ shape_row('message_events', {
        'message_id': 'message_id',
        'event_type': 'event_type',
        'source_system': "'klaviyo'",
        'source_record_id': 'person_id',
        'action_id': 'action_id',
        'occurred_at': 'occurred_at_text',
    }, 'klaviyo_event') }},
    {{ refusal(
        "case when is_deleted then 'deleted_at_source' when occurrence > 1 then 'duplicate' end",
        "case when is_deleted then 'the event was deleted in Klaviyo' when occurrence > 1 then 'the message has such an event already' end",
    ) }}
from numbered
