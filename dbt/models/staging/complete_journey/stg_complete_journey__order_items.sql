-- A product stands at most once in a basket, so it numbers the line and a repeated line is noticed.
select
    {{ shape_row('order_items', {
        'source_system': "'complete_journey'",
        'order_id': 'basket_id',
        'line_number': 'product_id',
        'product_id': 'product_id',
        'quantity': 'quantity',
        'net_amount': 'sales_value',
    }, 'complete_journey_transactions') }}
from {{ source('raw', 'complete_journey_transactions') }}
