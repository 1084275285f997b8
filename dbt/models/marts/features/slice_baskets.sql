select
    orders.customer_id,
    {{ share_of('sum(baskets.items_quantity)', 'count(*)') }} as average_items_count,
    cast({{ share_of('sum(baskets.net_amount)', 'sum(baskets.items_quantity)') }} as {{ money_type() }})
        as average_item_amount,
    {{ share_of('sum(baskets.repeat_lines_count)', 'sum(baskets.product_lines_count)') }} as repeat_product_share,
    {{ share_of('sum(baskets.cheap_lines_count)', 'sum(baskets.priced_lines_count)') }} as cheap_line_share,
    {{ share_of('sum(baskets.priced_amount)', 'sum(baskets.usual_amount)') }} as price_index
from {{ ref('int_order_baskets') }} as baskets
inner join {{ ref('fct_orders') }} as orders on baskets.order_id = orders.order_id
where orders.is_counted and orders.order_date <= {{ as_of_date() }}
group by orders.customer_id
