with amounts as (
    select
        orders.customer_id,
        categories.category,
        sum(categories.net_amount) as net_amount,
        min(orders.order_date) as first_date,
        max(orders.order_date) as last_date
    from {{ ref('int_order_categories') }} as categories
    inner join {{ ref('fct_orders') }} as orders on categories.order_id = orders.order_id
    where orders.is_counted and orders.order_date <= {{ as_of_date() }} and categories.category is not null
    group by orders.customer_id, categories.category
    having sum(categories.net_amount) > 0
),
ranked as (
    select
        amounts.*,
        cast(net_amount as double) / cast(sum(net_amount) over (partition by customer_id) as double) as share,
        row_number() over (partition by customer_id order by net_amount desc, category) as category_rank
    from amounts
)
select
    customer_id,
    count(*) as categories_count,
    {{ share_of('max(net_amount)', 'sum(net_amount)') }} as top_category_share,
    max(case when category_rank = 1 then category end) as favourite_category,
    {{ entropy('share') }} as category_entropy,
    {{ share_of(
        'count(case when first_date > ' ~ days_before(as_of_date(), 90) ~ ' then 1 end)',
        'count(case when last_date > ' ~ days_before(as_of_date(), 90) ~ ' then 1 end)',
    ) }} as new_category_90d_share
from ranked
group by customer_id
