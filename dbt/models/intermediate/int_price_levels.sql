-- What the category cost on average up to each day: a line is compared with what was known when it was bought.
with days as (
    select
        items.price_category,
        orders.order_date,
        sum(items.net_amount) as net_amount,
        sum(items.quantity) as quantity
    from {{ ref('int_order_items_costed') }} as items
    inner join {{ ref('int_orders_attributed') }} as orders on items.order_id = orders.order_id
    where orders.is_counted and items.price_category is not null and items.net_amount > 0 and items.quantity > 0
    group by items.price_category, orders.order_date
)
select
    price_category,
    order_date,
    cast(sum(net_amount) over w as double) / cast(sum(quantity) over w as double) as unit_price
from days
window w as (partition by price_category order by order_date rows unbounded preceding)
