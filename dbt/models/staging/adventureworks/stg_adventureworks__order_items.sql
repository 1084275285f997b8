-- Amount and cost are the product's present price and cost, which the sales table does not hold itself.
select
    {{ shape_row('order_items', {
        'source_system': "'adventureworks'",
        'order_id': 'order_id',
        'line_number': 'line_number',
        'product_id': 'product_id',
        'quantity': 'quantity',
        'net_amount': 'line_amount',
        'unit_cost_amount': 'cost_amount',
    }, 'adventureworks_sales') }}
from {{ ref('adventureworks_lines') }}
