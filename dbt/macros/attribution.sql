{# Joins that find the person of an event: the record it names, else whose device it was at that moment, else
   its e-mail address. The relation needs the columns source_system, source_record_id, device_id and email. #}
{% macro join_person(event, happened_at) -%}
    left join {{ ref('lone_record_ids') }} as lone_ids on {{ event }}.source_record_id = lone_ids.source_record_id
    left join {{ source('identity', 'customers_map') }} as named_records
        on coalesce({{ event }}.source_system, lone_ids.source_system) = named_records.source_system
        and {{ event }}.source_record_id = named_records.source_record_id
    left join {{ ref('device_periods') }} as named_devices
        on {{ event }}.device_id = named_devices.device_id
        and {{ event }}.{{ happened_at }} >= named_devices.valid_from
        and {{ event }}.{{ happened_at }} < named_devices.valid_until
    left join {{ ref('customer_emails') }} as named_emails
        on {{ normalised_email(event ~ '.email') }} = named_emails.email
{%- endmacro %}

{% macro joined_person() -%}
    coalesce(named_records.customer_id, named_devices.customer_id, named_emails.customer_id)
{%- endmacro %}

{# The business day from which it is known whose an event was: its own, or that of a later login on its device. A
   slice counts what is known on its date. #}
{% macro joined_known_date(event, happened_at) -%}
    case
        when named_records.customer_id is null and named_devices.known_date > {{ business_date(event ~ '.' ~ happened_at) }}
            then named_devices.known_date
        else {{ business_date(event ~ '.' ~ happened_at) }}
    end
{%- endmacro %}

{# Systems say the same in many words: 'Added to Cart', 'add_to_cart' and 'add-to-cart' are one. #}
{% macro is_event(event_type, kind) -%}
    replace(replace(lower({{ event_type }}), '-', '_'), ' ', '_') in ({{ quoted_list({
        'product_view': ['product_view', 'product_viewed', 'viewed_product', 'view_item', 'view_product'],
        'cart_add': ['add_to_cart', 'added_to_cart', 'product_added', 'added_product', 'cart_add'],
        'sent': ['sent', 'sent_email', 'email_sent', 'sent_sms', 'sms_sent', 'delivered', 'delivered_email',
            'email_delivered', 'received', 'received_email', 'email_received', 'received_sms', 'sms_received'],
        'opened': ['opened', 'open', 'opened_email', 'email_opened', 'email_open'],
        'clicked': ['clicked', 'click', 'clicked_email', 'email_clicked', 'email_click', 'clicked_sms'],
        'unsubscribed': ['unsubscribed', 'unsubscribe', 'unsubscribed_from_list', 'email_unsubscribed', 'marked_email_as_spam'],
    }[kind]) }})
{%- endmacro %}
