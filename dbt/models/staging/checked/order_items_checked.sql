{{ checked_shape('order_items', [ref('stg_shapes__order_items'), ref('stg_complete_journey__order_items')]) }}
