-- Gross is the sum of the lines at present prices (adventureworks_lines), in US dollars; there are no
-- discounts, tax, shipping or refunds. A line that came twice counts once.
with lines as (
    select
        min(_row_number) as _row_number, order_id, line_number, source_record_id, product_id, ordered_at_text, store_id,
        line_amount
    from {{ ref('adventureworks_lines') }}
    group by order_id, line_number, source_record_id, product_id, ordered_at_text, store_id, quantity, line_amount
)
select
    {{ shape_row('orders', {
        'source_system': "'adventureworks'",
        'order_id': 'order_id',
        'source_record_id': 'min(source_record_id)',
        'ordered_at': 'min(ordered_at_text)',
        'gross_amount': 'sum(line_amount)',
        'currency_code': "'USD'",
        'status': "'completed'",
        'channel': "'online'",
        'store_id': 'min(store_id)',
    }, 'adventureworks_sales', 'min(_row_number)') }}
from lines
group by order_id
