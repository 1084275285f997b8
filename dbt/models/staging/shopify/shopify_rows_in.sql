{% for table, shape, condition in [
    ('shopify_customer', 'customer_records', 'true'),
    ('shopify_customer', 'consents', clean_text('accepts_marketing') ~ ' is not null'),
    ('shopify_order', 'orders', 'true'),
    ('shopify_order_line', 'order_items', 'true'),
    ('shopify_order_line_refund', 'refunds', 'true'),
    ('shopify_order_adjustment', 'refunds', 'true'),
    ('shopify_product', 'products', 'true'),
] %}
{{ rows_in_from_raw(table, shape, condition=condition) }}
{{ 'union all' if not loop.last }}
{% endfor %}
