{{ checked_shape(
    'message_events',
    [ref('stg_shapes__message_events')],
    refusing=[ref('stg_klaviyo__message_events')],
) }}
