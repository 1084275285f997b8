select
    customer_id,
    {% for state in ['opened', 'clicked'] %}
    {{ share_of(
        'count(case when message_date > ' ~ days_before(as_of_date(), 365) ~ ' and ' ~ state ~ '_date <= '
            ~ as_of_date() ~ ' then 1 end)',
        'count(case when message_date > ' ~ days_before(as_of_date(), 365) ~ ' then 1 end)',
    ) }} as message_{{ state }}_share,
    {{ days_between('max(case when ' ~ state ~ '_date <= ' ~ as_of_date() ~ ' then ' ~ state ~ '_date end)', as_of_date()) }}
        as message_{{ state }}_recency_days,
    {% endfor %}
    count(case when unsubscribed_date <= {{ as_of_date() }} then 1 end) > 0 as has_unsubscribed
from {{ ref('int_customer_messages') }}
where message_date <= {{ as_of_date() }}
group by customer_id
