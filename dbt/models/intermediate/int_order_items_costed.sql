-- A table, because five models read it and would join 1.5 million lines each. The line's own cost is in the order's currency, the product's usual cost in reporting currency.
select
    orders.order_id,
    items.line_number,
    items.product_id,
    items.quantity,
    products.brand,
    products.category_1 as category,
    coalesce(products.category_2, products.category_1) as price_category,
    {{ in_reporting_currency('items.net_amount', 'orders.rate_to_reporting') }} as net_amount,
    case
        when items.unit_cost_amount is not null
            then {{ in_reporting_currency(
                'cast(items.unit_cost_amount as decimal(26, 4)) * items.quantity', 'orders.rate_to_reporting'
            ) }}
        else {{ try_cast('cast(products.unit_cost_amount as decimal(26, 4)) * items.quantity', money_type()) }}
    end as cost_amount
from {{ ref('order_items') }} as items
inner join {{ ref('int_orders_attributed') }} as orders
    on items.source_system || ':' || items.order_id = orders.order_id
left join {{ ref('products') }} as products on items.product_id = products.product_id
