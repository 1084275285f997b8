{% for table, shape, condition in [
    ('klaviyo_person', 'customer_records', 'true'),
    ('klaviyo_person', 'consents', "lower(custom_consent) like '%email%'"),
    ('klaviyo_person', 'consents', "lower(custom_consent) like '%sms%'"),
    ('klaviyo_person', 'consents', klaviyo_is_deleted()),
    ('klaviyo_person', 'consents', klaviyo_is_deleted()),
    ('klaviyo_global_exclusion', 'consents', 'true'),
    ('klaviyo_event', 'consents', klaviyo_is('email_consents')),
    ('klaviyo_event', 'consents', klaviyo_is('sms_consents')),
    ('klaviyo_event', 'message_events', klaviyo_is('message_events')),
    ('klaviyo_event', 'web_events', klaviyo_is('web_events')),
    ('klaviyo_campaign', 'actions', 'true'),
    ('klaviyo_flow', 'actions', 'true'),
] %}
{{ rows_in_from_raw(table, shape, condition=condition) }}
{{ 'union all' if not loop.last }}
{% endfor %}
