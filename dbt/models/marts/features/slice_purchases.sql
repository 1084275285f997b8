select
    customer_id,
    min(purchase_date) as first_purchase_date,
    max(purchase_date) as last_purchase_date,
    count(*) as purchase_days_count,
    {% for days in [90, 365] %}
    count(case when purchase_date > {{ days_before(as_of_date(), days) }} then 1 end) as purchase_days_{{ days }}d_count,
    {% endfor %}
    sum(case when purchase_number = 1 then net_amount end) as first_purchase_amount,
    coalesce(sum(case when purchase_number > 1 then net_amount end), 0) as repeat_purchase_amount,
    {{ stable_sum('log_amount') }} as purchase_log_amount_sum,
    {{ stable_sum('case when purchase_number = 1 then log_amount end') }} as first_purchase_log_amount,
    max(case when is_last_purchase then gap_days end) as days_between_last_two_purchases,
    case when count(gap_days) >= 2 then {{ median('gap_days') }} end as median_gap_days
from {{ ref('slice_purchase_days') }}
group by customer_id
