{% for table, shape, condition in [
    ('klaviyo_person', 'customer_records', 'true'),
    ('klaviyo_person', 'consents', "lower(custom_consent) like '%email%'"),
    ('klaviyo_person', 'consents', "lower(custom_consent) like '%sms%'"),
    ('klaviyo_person', 'consents', klaviyo_is_deleted()),
    ('klaviyo_person', 'consents', klaviyo_is_deleted()),
    ('klaviyo_event', 'consents', klaviyo_is('email_consents')),
    ('klaviyo_event', 'consents', klaviyo_is('sms_consents')),
    ('klaviyo_event', 'message_events', klaviyo_is('message_events')),
    ('klaviyo_event', 'web_events', klaviyo_is('web_events')),
    ('klaviyo_campaign', 'actions', 'true'),
    ('klaviyo_flow', 'actions', 'true'),
] %}
{{ rows_in_from_raw(table, shape, condition=condition) }}
union all
{% endfor %}
-- A suppression is as many consents as profiles have its address, and one where none has.
select 'klaviyo_global_exclusion' as source_table, 'consents' as shape, count(*) as rows_in
from {{ source('raw', 'klaviyo_global_exclusion') }} as exclusions
left join ({{ klaviyo_profiles_by_address() }}) as addresses on lower(trim(exclusions.email)) = addresses.email
