with purchases as (
    select
        days.customer_id,
        days.purchase_date,
        count(web_days.event_date) as web_days_count
    from {{ ref('slice_purchase_days') }} as days
    left join {{ ref('int_web_days') }} as web_days
        on days.customer_id = web_days.customer_id
        and web_days.event_date <= days.purchase_date
        and web_days.event_date >= {{ days_before('days.purchase_date', var('web_before_purchase_days')) }}
    group by days.customer_id, days.purchase_date
)
select
    customer_id,
    {{ share_of('count(case when web_days_count > 0 then 1 end)', 'count(*)') }} as web_before_purchase_share
from purchases
group by customer_id
