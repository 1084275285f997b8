-- The last day on the site up to each purchase, by one ordering of a person's days: joining them by a range of
-- dates makes purchases times visits rows of whoever does both often.
with days as (
    select customer_id, event_date as day_date, event_date as web_date, 0 as is_purchase
    from {{ ref('int_web_days') }}
    where event_date <= {{ as_of_date() }} and known_date <= {{ as_of_date() }}
    union all
    select customer_id, purchase_date, cast(null as date), 1
    from {{ ref('slice_purchase_days') }}
),
-- A visit on the day of the purchase counts as before it.
preceded as (
    select
        customer_id,
        day_date,
        is_purchase,
        max(web_date) over (
            partition by customer_id order by day_date, is_purchase
            rows between unbounded preceding and current row
        ) as last_web_date
    from days
)
select
    customer_id,
    {{ share_of(
        'count(case when last_web_date >= ' ~ days_before('day_date', var('web_before_purchase_days')) ~ ' then 1 end)',
        'count(*)',
    ) }} as web_before_purchase_share
from preceded
where is_purchase = 1
group by customer_id
