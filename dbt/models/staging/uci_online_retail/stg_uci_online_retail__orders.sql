-- An order is an invoice that is no credit note (C...). Gross is its goods and lines entered by hand (M),
-- shipping its postage (POST, DOT, C2). There is no tax or discount: discounts come on credit notes.
-- Times are the shop's own and are taken as UTC; it closes before 21:00, so London days come out right.
-- Not mapped: country, which has names where the contract has codes.
with invoices as (
    select
        invoice_number,
        min(_row_number) as first_row_number,
        min(source_record_id) as source_record_id,
        min(invoiced_at_text) as ordered_at,
        sum(case when refused_rule is null then line_amount else 0 end) as gross_amount,
        sum(case when refused_rule = 'not_goods' and line_type = 'postage' then line_amount else 0 end) as shipping_amount
    from {{ ref('uci_online_retail_lines') }}
    where not is_cancellation
    group by invoice_number
)
select
    {{ shape_row('orders', {
        'source_system': "'uci_online_retail'",
        'order_id': 'invoice_number',
        'source_record_id': 'source_record_id',
        'ordered_at': 'ordered_at',
        'gross_amount': 'gross_amount',
        'shipping_amount': 'shipping_amount',
        'currency_code': "'GBP'",
        'status': "'completed'",
        'channel': "'online'",
    }, 'uci_online_retail_lines', 'first_row_number') }}
from invoices
