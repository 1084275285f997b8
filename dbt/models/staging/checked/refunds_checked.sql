{{ checked_shape(
    'refunds',
    [ref('stg_shapes__refunds')],
    currency_day='refunded_at',
    rates=ref('exchange_rate_periods'),
) }}
