-- The channels a profile consented to, and later changes from the events of subscribing and unsubscribing.
{% for purpose in ['email', 'sms'] %}
select
    {{ shape_row('consents', {
        'source_system': "'klaviyo'",
        'source_record_id': 'id',
        'purpose': "'" ~ purpose ~ "'",
        'changed_at': 'coalesce(custom_consent_timestamp, updated)',
        'is_granted': "'true'",
    }, 'klaviyo_person') }}
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
    }, 'klaviyo_event') }}
from {{ ref('klaviyo_events_named') }}
where {{ klaviyo_event_type(purpose ~ '_consents', 'event_name') }} is not null
{{ 'union all' if not loop.last }}
{% endfor %}
