with messages as (
    select
        messages.*,
        message_date > {{ days_before(as_of_date(), 365) }} and sent_date <= {{ as_of_date() }} as is_recently_sent
    from {{ ref('int_customer_messages') }} as messages
    where message_date <= {{ as_of_date() }}
)
select
    customer_id,
    {% for state in ['opened', 'clicked'] %}
    {{ share_of(
        'count(case when is_recently_sent and ' ~ state ~ '_date <= ' ~ as_of_date() ~ ' then 1 end)',
        'count(case when is_recently_sent then 1 end)',
    ) }} as message_{{ state }}_share,
    {{ days_between('max(case when ' ~ state ~ '_date <= ' ~ as_of_date() ~ ' then ' ~ state ~ '_date end)', as_of_date()) }}
        as message_{{ state }}_recency_days,
    {% endfor %}
    count(case when unsubscribed_date <= {{ as_of_date() }} then 1 end) > 0 as has_unsubscribed
from messages
group by customer_id
