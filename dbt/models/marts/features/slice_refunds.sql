select
    customer_id,
    count(case when event_type = 'refund' then 1 end) as refunds_count,
    -- A refund that names no order leaves open which order came back.
    case when count(case when event_type = 'refund' and order_id is null then 1 end) = 0 then
        {{ share_of(
            "count(distinct case when event_type = 'refund' then order_id end)",
            "count(case when event_type = 'order' then 1 end)",
        ) }}
    end as refunded_order_share,
    {{ days_between("max(case when event_type = 'refund' then event_date end)", as_of_date()) }}
        as refund_recency_days
from {{ ref('slice_ledger') }}
group by customer_id
