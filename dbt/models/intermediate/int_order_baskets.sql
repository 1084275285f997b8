-- Line by line once, so that each as-of date reads one row per order.
with lines as (
    select
        items.order_id,
        items.product_id,
        items.net_amount,
        items.quantity,
        case when items.net_amount > 0 and items.quantity > 0 then levels.unit_price end as usual_price,
        min(orders.order_date) over (partition by orders.customer_id, items.product_id) < orders.order_date
            as is_repeat
    from {{ ref('int_order_items_costed') }} as items
    inner join {{ ref('int_orders_attributed') }} as orders on items.order_id = orders.order_id
    left join {{ ref('int_price_levels') }} as levels
        on items.price_category = levels.price_category
        and orders.order_date = levels.order_date
    where orders.is_counted
)
select
    order_id,
    {{ try_cast('sum(net_amount)', money_type()) }} as net_amount,
    {{ try_cast('sum(case when quantity > 0 then quantity else 0 end)', 'decimal(18, 3)') }} as items_quantity,
    count(product_id) as product_lines_count,
    count(case when product_id is not null and is_repeat then 1 end) as repeat_lines_count,
    count(usual_price) as priced_lines_count,
    count(case
        when cast(net_amount as double) / nullif(cast(quantity as double), 0) <= usual_price * {{ var('cheap_price_share') }} then 1
    end) as cheap_lines_count,
    {{ try_cast('sum(case when usual_price is not null then net_amount end)', money_type()) }} as priced_amount,
    {{ try_cast('sum(' ~ try_cast('usual_price * quantity', 'decimal(18, 4)') ~ ')', money_type()) }} as usual_amount
from lines
group by order_id
