{{ checked_shape(
    'order_items',
    [
        ref('stg_shapes__order_items'),
        ref('stg_complete_journey__order_items'),
        ref('stg_adventureworks__order_items'),
    ],
    refusing=[ref('stg_shopify__order_items'), ref('stg_uci_online_retail__order_items')],
) }}
