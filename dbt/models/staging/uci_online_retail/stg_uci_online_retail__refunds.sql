-- Every line of a credit note (C...), discounts (D) and credits entered by hand (M) among them. A credit
-- note names no invoice, so it is the customer's. Postage paid back is no revenue and is refused.
select
    {{ shape_row('refunds', {
        'source_system': "'uci_online_retail'",
        'refund_id': "invoice_number || ':' || cast(line_number as " ~ dbt.type_string() ~ ")",
        'source_record_id': 'source_record_id',
        'refunded_at': 'invoiced_at_text',
        'refund_amount': '-line_amount',
        'currency_code': "'GBP'",
    }, 'uci_online_retail_lines') }},
    {{ refusal('refused_rule', 'refused_reason') }}
from {{ ref('uci_online_retail_lines') }}
where is_cancellation
