select
    customer_id,
    sum(case
        when touch_type = 'web_event' and touch_date > {{ days_before(as_of_date(), 30) }} then touches_count
        else 0
    end) as web_events_30d_count,
    sum(case when touch_type = 'message' then touches_count else 0 end) as messages_90d_count,
    sum(case when touch_type = 'action' then touches_count else 0 end) as actions_90d_count
from {{ ref('int_customer_touches') }}
where touch_date <= {{ as_of_date() }} and touch_date > {{ days_before(as_of_date(), 90) }}
group by customer_id
