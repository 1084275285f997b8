{{ checked_shape('action_exposures', [ref('stg_shapes__action_exposures'), ref('stg_complete_journey__action_exposures')]) }}
