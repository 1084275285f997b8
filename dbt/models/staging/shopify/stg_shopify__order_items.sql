-- A line is worth its share of the order's goods without tax and after all discounts, so that discounts on
-- the whole order lie on its lines. A gift card is no revenue before it is spent. The unit cost is the
-- present one of the variant's stock item; returned units stay in the quantity.
with lines as (
    select *, {{ shopify_line_amount() }} as line_amount, coalesce({{ cast_text('gift_card', 'boolean') }}, false) as is_gift_card
    from {{ source('raw', 'shopify_order_line') }}
),
totals as (
    select order_id, sum(line_amount) as goods_amount
    from {{ latest_rows('lines', ['order_id', 'id']) }} as latest
    where not is_gift_card
    group by order_id
),
orders as (
    select order_id, gross_amount - discount_amount as net_amount
    from {{ latest_rows(ref('shopify_orders_taxed'), ['order_id']) }} as latest
),
costs as (
    select variants.id as variant_id, min(items.cost) as cost
    from {{ source('raw', 'shopify_product_variant') }} as variants
    inner join {{ source('raw', 'shopify_inventory_item') }} as items on variants.inventory_item_id = items.id
    group by variants.id
)
select
    {{ shape_row('order_items', {
        'source_system': "'shopify'",
        'order_id': 'lines.order_id',
        'line_number': 'lines.id',
        'product_id': 'lines.product_id',
        'quantity': 'lines.quantity',
        'net_amount': 'case
            when totals.goods_amount > 0 and orders.net_amount >= 0 then ' ~ try_cast(
                'cast(lines.line_amount as double) * cast(orders.net_amount as double) / cast(totals.goods_amount as double)',
                money_type()) ~ '
            else lines.line_amount
        end',
        'unit_cost_amount': 'costs.cost',
    }, 'shopify_order_line', 'lines._row_number') }},
    {{ refusal("case when lines.is_gift_card then 'not_goods' end", "case when lines.is_gift_card then 'sells a gift card, which is no revenue before it is spent' end") }}
from lines
left join totals on lines.order_id = totals.order_id
left join orders on lines.order_id = orders.order_id
left join costs on lines.variant_id = costs.variant_id
