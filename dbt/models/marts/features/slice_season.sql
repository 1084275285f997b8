-- Over the whole history: two winters and one summer weigh winter twice.
with months as (
    select
        customer_id,
        cast(extract(month from purchase_date) as integer) as month_number,
        sum(net_amount) as net_amount
    from {{ ref('slice_purchase_days') }}
    group by customer_id, cast(extract(month from purchase_date) as integer)
),
shares as (
    select
        months.*,
        cast(net_amount as double) / cast(sum(net_amount) over (partition by customer_id) as double) as share
    from months
)
select
    customer_id,
    {% for quarter in [1, 2, 3, 4] %}
    {{ share_of(
        'sum(case when month_number between ' ~ (3 * quarter - 2) ~ ' and ' ~ 3 * quarter ~ ' then net_amount else 0 end)',
        'sum(net_amount)',
    ) }} as revenue_q{{ quarter }}_share,
    {% endfor %}
    {{ share_of('sum(case when month_number >= 11 then net_amount else 0 end)', 'sum(net_amount)') }}
        as november_december_revenue_share,
    {{ stable_sum('share * share') }} as purchase_month_concentration
from shares
group by customer_id
