select
    customer_id,
    {% for name, type, days in [
        ('web_events', 'web_event', 30),
        ('messages', 'message', 7), ('messages', 'message', 30), ('messages', 'message', 90),
        ('actions', 'action', 7), ('actions', 'action', 30), ('actions', 'action', 90),
    ] %}
    sum(case
        when touch_type = '{{ type }}' and touch_date > {{ days_before(as_of_date(), days) }} then touches_count
        else 0
    end) as {{ name }}_{{ days }}d_count,
    {% endfor %}
    sum(case when touch_type in ('message', 'action') then touches_count else 0 end) as contacts_365d_count
from {{ ref('int_customer_touches') }}
where counts_until > {{ as_of_date() }}
    and known_date <= {{ as_of_date() }} and touch_date <= {{ as_of_date() }}
    and touch_date > {{ days_before(as_of_date(), 365) }}
group by customer_id
