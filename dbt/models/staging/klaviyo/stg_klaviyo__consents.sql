-- The channels a profile consented to, and changes from the events of subscribing and unsubscribing. What a
-- profile holds now is dated by when it was consented to or else by its making, never by its last change: a
-- new address would bring back a consent that was withdrawn before.
{% for purpose in ['email', 'sms'] %}
select
    {{ shape_row('consents', {
        'source_system': "'klaviyo'",
        'source_record_id': 'id',
        'purpose': "'" ~ purpose ~ "'",
        'changed_at': 'coalesce(' ~ clean_text('custom_consent_timestamp') ~ ', created)',
        'is_granted': "'true'",
    }, 'klaviyo_person') }},
    {{ refusal('null', 'null') }}
from {{ source('raw', 'klaviyo_person') }}
where lower(custom_consent) like '%{{ purpose }}%'
union all
select
    {{ shape_row('consents', {
        'source_system': "'klaviyo'",
        'source_record_id': 'person_id',
        'purpose': "'" ~ purpose ~ "'",
        'changed_at': 'occurred_at_text',
        'is_granted': klaviyo_event_type(purpose ~ '_consents', 'event_name'),
    }, 'klaviyo_event') }},
    {{ refusal("case when is_deleted then 'deleted_at_source' end", "case when is_deleted then 'the event was deleted in Klaviyo' end") }}
from {{ ref('klaviyo_events_named') }}
where {{ klaviyo_event_type(purpose ~ '_consents', 'event_name') }} is not null
{{ 'union all' if not loop.last }}
{% endfor %}
