with amounts as (
    select orders.customer_id, categories.category, sum(categories.net_amount) as net_amount
    from {{ ref('int_order_categories') }} as categories
    inner join {{ ref('fct_orders') }} as orders on categories.order_id = orders.order_id
    where orders.is_counted and orders.order_date <= {{ as_of_date() }} and categories.category is not null
    group by orders.customer_id, categories.category
    having sum(categories.net_amount) > 0
)
select
    customer_id,
    count(*) as categories_count,
    {{ share_of('max(net_amount)', 'sum(net_amount)') }} as top_category_share
from amounts
group by customer_id
