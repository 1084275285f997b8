{% set table = 'uci_online_retail_lines' %}
{% set credited = uci_is_cancellation('invoiceno') %}
{% set customer = uci_customer('customerid') %}
{{ rows_in_from_raw(table, 'order_items', 'not ' ~ credited) }}
union all
{{ rows_in_from_raw(table, 'refunds', credited) }}
union all
{{ rows_in_by(table, 'orders', 'trim(invoiceno)', 'not ' ~ credited) }}
union all
{{ rows_in_by(table, 'customer_records', customer, customer ~ ' is not null') }}
union all
{{ rows_in_by(table, 'products', 'upper(trim(stockcode))', uci_line_type('stockcode') ~ " = 'goods'") }}
