{{ checked_shape(
    'web_events',
    [ref('stg_shapes__web_events')],
    refusing=[ref('stg_klaviyo__web_events')],
) }}
