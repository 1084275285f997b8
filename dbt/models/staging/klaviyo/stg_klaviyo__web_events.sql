-- What a known profile did on the site. Not mapped: events of integrations, such as Placed Order, which the
-- shop's own tables tell better.
select
    {{ shape_row('web_events', {
        'event_id': 'event_id',
        'event_type': klaviyo_event_type('web_events', 'event_name'),
        'source_system': "'klaviyo'",
        'source_record_id': 'person_id',
        'product_id': 'product_id',
        'occurred_at': 'occurred_at_text',
    }, 'klaviyo_event') }},
    {{ refusal("case when is_deleted then 'deleted_at_source' end", "'the event was deleted in Klaviyo'") }}
from {{ ref('klaviyo_events_named') }}
where {{ klaviyo_event_type('web_events', 'event_name') }} is not null
