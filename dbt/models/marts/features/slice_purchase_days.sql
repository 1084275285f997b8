{{ config(materialized='table') }}

-- Orders of one day are one purchase; a day that refunds have brought to zero is none.
with days as (
    select
        customer_id,
        purchase_date,
        cast(sum(revenue_amount) as {{ money_type() }}) as net_amount
    from {{ ref('slice_ledger') }}
    where purchase_date <= {{ as_of_date() }}
    group by customer_id, purchase_date
    having sum(revenue_amount) > 0
)
select
    customer_id,
    purchase_date,
    net_amount,
    {{ safe_ln('net_amount') }} as log_amount,
    row_number() over (partition by customer_id order by purchase_date) as purchase_number,
    row_number() over (partition by customer_id order by purchase_date desc) = 1 as is_last_purchase,
    {{ days_between(
        'lag(purchase_date) over (partition by customer_id order by purchase_date)', 'purchase_date'
    ) }} as gap_days
from days
