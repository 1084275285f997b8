{{ checked_shape(
    'consents',
    [ref('stg_shapes__consents'), ref('stg_shopify__consents')],
    refusing=[ref('stg_klaviyo__consents')],
) }}
