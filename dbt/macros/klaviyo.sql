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

{# What all events of one message to one person share. A flow sends its messages again and again: the day of
   the sending, the last one up to the event, tells them apart. Events of no message stand alone. #}
{% macro klaviyo_message_id() -%}
    case
        when flow_message_id is not null then person_id || ':' || flow_message_id || ':' || coalesce(cast(cast(coalesce(
            max(case when event_type = 'sent' then occurred_at end) over (
                partition by person_id, flow_message_id order by occurred_at rows between unbounded preceding and current row
            ),
            occurred_at
        ) as date) as {{ dbt.type_string() }}), 'no day')
        when campaign_id is not null then person_id || ':' || campaign_id
        else event_id
    end
{%- endmacro %}

{# Condition on raw.klaviyo_event, with the name taken from the metric where the event has none. #}
{% macro klaviyo_is(shape) -%}
    lower(trim(coalesce({{ clean_text('type') }}, (
        select min(metrics.name) from {{ source('raw', 'klaviyo_metric') }} as metrics where metrics.id = klaviyo_event.metric_id
    )))) in ({{ quoted_list(klaviyo_event_types(shape).keys() | list) }})
{%- endmacro %}

{# The first of several instants that can be read, as the text it came as. #}
{% macro first_readable_instant(columns) -%}
    case
        {%- for column in columns %}
        when {{ cast_text(column, 'timestamp') }} is not null then {{ column }}
        {%- endfor %}
    end
{%- endmacro %}

{% macro klaviyo_is_deleted(prefix='') -%} coalesce({{ cast_text(prefix ~ '_fivetran_deleted', 'boolean') }}, false) {%- endmacro %}

{# Every profile of an address, living or deleted: a suppression is of the address, and one profile may replace
   another. Shared by what sorts suppressions and what counts them, so one with two profiles is two rows in both. #}
{% macro klaviyo_profiles_by_address() -%}
    select distinct lower(trim(email)) as email, trim(id) as profile_id
    from {{ source('raw', 'klaviyo_person') }}
    where trim(email) <> '' and trim(id) <> ''
{%- endmacro %}
