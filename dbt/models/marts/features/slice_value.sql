select
    customer_id,
    sum(revenue_amount) as observed_revenue_amount,
    case when count(margin_amount) = count(*) then sum(margin_amount) end as observed_margin_amount,
    coalesce(sum(
        case when event_date > {{ days_before(as_of_date(), 90) }} then revenue_amount end
    ), 0) as revenue_90d_amount,
    coalesce(sum(
        case when event_date > {{ days_before(as_of_date(), 365) }} then revenue_amount end
    ), 0) as revenue_365d_amount,
    {{ share_of(
        "-sum(case when event_type = 'refund' then revenue_amount else 0 end)",
        "sum(case when event_type = 'order' then revenue_amount end)",
    ) }} as refund_share
from {{ ref('slice_ledger') }}
group by customer_id
