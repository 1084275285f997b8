-- One row an event, its id standing for the message: opens and clicks do not say which delivery they belong to.
-- Received means sent here. Not mapped: orders and other events that no message or visit to the site made.
select
    {{ shape_row('message_events', {
        'message_id': 'event_id',
        'event_type': klaviyo_event_type('message_events', 'event_name'),
        'source_system': "'klaviyo'",
        'source_record_id': 'person_id',
        'action_id': 'action_id',
        'occurred_at': 'occurred_at_text',
    }, 'klaviyo_event') }},
    {{ refusal("case when is_deleted then 'deleted_at_source' end", "'the event was deleted in Klaviyo'") }}
from {{ ref('klaviyo_events_named') }}
where {{ klaviyo_event_type('message_events', 'event_name') }} is not null
