{{ config(materialized='view') }}

select
    line_type,
    is_cancellation,
    line_amount,
    refused_rule,
    'uci_online_retail:'
    || case when is_cancellation then invoice_number || ':' || line_number else invoice_number end as event_id
from {{ ref('uci_online_retail_lines') }}
