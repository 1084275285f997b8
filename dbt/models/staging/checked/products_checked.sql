{{ checked_shape('products', [ref('stg_shapes__products'), ref('stg_complete_journey__products')]) }}
