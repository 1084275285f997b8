{{ checked_shape(
    'products',
    [
        ref('stg_shapes__products'),
        ref('stg_complete_journey__products'),
        ref('stg_shopify__products'),
        ref('stg_uci_online_retail__products'),
        ref('stg_adventureworks__products'),
    ],
) }}
