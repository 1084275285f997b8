{# Words for a consent -> what the features know. dagster_project/landing/consent_words.py has the same
   words for check-source, and a test compares them. #}
{% macro consent_words(kind) -%}
    {{ return({
        'purpose': {
            'email': ['email', 'e_mail', 'email_marketing', 'marketing_email', 'newsletter'],
            'sms': ['sms', 'text', 'text_message', 'sms_marketing', 'marketing_sms'],
            'geo': ['geo', 'geolocation', 'location', 'gps'],
            'profiling': ['profiling', 'personalisation', 'personalization'],
        },
        'granting': {
            'true': ['true', 't', 'yes', 'y', '1', 'granted', 'given', 'on', 'opt_in', 'opted_in', 'subscribed'],
            'false': ['false', 'f', 'no', 'n', '0', 'revoked', 'withdrawn', 'denied', 'refused', 'off', 'opt_out',
                'opted_out', 'unsubscribed'],
        },
    }[kind]) }}
{%- endmacro %}

{# The one word for a text in any case, with blanks and hyphens for underscores; NULL when unknown. #}
{% macro consent_word(value, kind) -%}
    case
        {%- for word, texts in consent_words(kind).items() %}
        when replace(replace(lower(trim({{ value }})), ' ', '_'), '-', '_') in ({{ quoted_list(texts) }}) then '{{ word }}'
        {%- endfor %}
    end
{%- endmacro %}
