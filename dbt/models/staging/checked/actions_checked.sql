{{ checked_shape(
    'actions',
    [ref('stg_shapes__actions'), ref('stg_complete_journey__actions'), ref('stg_klaviyo__actions')],
) }}
