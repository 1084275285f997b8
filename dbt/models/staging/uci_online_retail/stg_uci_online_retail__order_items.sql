-- Every line that is on no credit note; what is no goods of a known customer is refused with its reason.
-- The amount is quantity times unit price, exact to four decimals. There is no cost.
select
    {{ shape_row('order_items', {
        'source_system': "'uci_online_retail'",
        'order_id': 'invoice_number',
        'line_number': 'line_number',
        'product_id': "case when line_type = 'goods' then product_id end",
        'quantity': 'quantity',
        'net_amount': 'line_amount',
    }, 'uci_online_retail_lines') }},
    {{ refusal('refused_rule', 'refused_reason') }}
from {{ ref('uci_online_retail_lines') }}
where not is_cancellation
