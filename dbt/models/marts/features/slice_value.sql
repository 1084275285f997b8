select
    customer_id,
    sum(revenue_amount) as observed_revenue_amount,
    case when count(margin_amount) = count(*) then sum(margin_amount) end as observed_margin_amount,
    case when count(margin_amount) = count(*) then
        {{ share_of('sum(margin_amount)', 'sum(revenue_amount)') }}
    end as margin_share,
    {% for days in [90, 365] %}
    coalesce(sum(
        case when event_date > {{ days_before(as_of_date(), days) }} then revenue_amount end
    ), 0) as revenue_{{ days }}d_amount,
    {% endfor %}
    coalesce(sum(
        case
            when event_date <= {{ days_before(as_of_date(), 90) }}
                and event_date > {{ days_before(as_of_date(), 180) }} then revenue_amount
        end
    ), 0) as revenue_previous_90d_amount,
    {{ share_of(
        "-sum(case when event_type = 'refund' then revenue_amount else 0 end)",
        "sum(case when event_type = 'order' then revenue_amount end)",
    ) }} as refund_share
from {{ ref('slice_ledger') }}
group by customer_id
