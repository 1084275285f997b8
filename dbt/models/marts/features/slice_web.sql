with days as (
    select web_days.*, event_date > {{ days_before(as_of_date(), 90) }} as is_recent
    from {{ ref('int_web_days') }} as web_days
    where event_date <= {{ as_of_date() }} and known_date <= {{ as_of_date() }}
)
select
    customer_id,
    sum(case when is_recent then sessions_count else 0 end) as web_sessions_90d_count,
    count(distinct case when is_recent then event_date end) as web_active_days_90d_count,
    sum(case when is_recent then product_views_count else 0 end) as product_views_90d_count,
    sum(case when is_recent then cart_adds_count else 0 end) as cart_adds_90d_count,
    {{ days_between('max(event_date)', as_of_date()) }} as web_recency_days
from days
group by customer_id
