{{ checked_shape(
    'customer_records',
    [
        ref('stg_shapes__customer_records'),
        ref('stg_complete_journey__customer_records'),
        ref('stg_shopify__customer_records'),
        ref('stg_uci_online_retail__customer_records'),
        ref('stg_adventureworks__customer_records'),
    ],
    countries=ref('country_codes'),
    refusing=[ref('stg_klaviyo__customer_records')],
) }}
