{{ checked_shape(
    'orders',
    [
        ref('stg_shapes__orders'),
        ref('stg_complete_journey__orders'),
        ref('stg_shopify__orders'),
        ref('stg_uci_online_retail__orders'),
        ref('stg_adventureworks__orders'),
    ],
    currency_day='ordered_at',
    rates=ref('exchange_rate_periods'),
) }}
