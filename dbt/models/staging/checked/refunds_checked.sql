{{ checked_shape(
    'refunds',
    [ref('stg_shapes__refunds')],
    refusing=[ref('stg_shopify__refunds'), ref('stg_uci_online_retail__refunds')],
    currency_day='refunded_at',
    rates=ref('exchange_rate_periods'),
    order_rates=ref('order_rates'),
) }}
