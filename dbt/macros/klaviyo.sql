{# Names of Klaviyo's events -> event types of the contract. #}
{% macro klaviyo_event_types(shape) -%}
    {{ return({
        'message_events': {
            'received email': 'sent', 'received sms': 'sent', 'opened email': 'opened', 'clicked email': 'clicked',
            'clicked sms': 'clicked', 'bounced email': 'bounced', 'dropped email': 'bounced',
            'failed to deliver sms': 'bounced', 'marked email as spam': 'complained', 'unsubscribed': 'unsubscribed',
            'unsubscribed from email marketing': 'unsubscribed', 'unsubscribed from sms marketing': 'unsubscribed',
        },
        'web_events': {
            'active on site': 'page_view', 'viewed page': 'page_view', 'viewed collection': 'page_view',
            'viewed product': 'product_view', 'added to cart': 'add_to_cart', 'checkout started': 'checkout',
            'started checkout': 'checkout', 'submitted search': 'search',
        },
        'email_consents': {
            'subscribed to email marketing': 'true', 'unsubscribed': 'false', 'marked email as spam': 'false',
            'unsubscribed from email marketing': 'false',
        },
        'sms_consents': {'subscribed to sms marketing': 'true', 'unsubscribed from sms marketing': 'false'},
    }[shape]) }}
{%- endmacro %}

{# The contract's type of an event; NULL for an event that is none of the shape. #}
{% macro klaviyo_event_type(shape, name='type') -%}
    case lower(trim({{ name }}))
        {%- for event, type in klaviyo_event_types(shape).items() %}
        when '{{ event }}' then '{{ type }}'
        {%- endfor %}
    end
{%- endmacro %}

{# Condition on raw.klaviyo_event, with the name taken from the metric where the event has none. #}
{% macro klaviyo_is(shape) -%}
    lower(trim(coalesce({{ clean_text('type') }}, (
        select min(metrics.name) from {{ source('raw', 'klaviyo_metric') }} as metrics where metrics.id = klaviyo_event.metric_id
    )))) in ({{ quoted_list(klaviyo_event_types(shape).keys() | list) }})
{%- endmacro %}
