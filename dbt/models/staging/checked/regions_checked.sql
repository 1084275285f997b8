{{ checked_shape('regions', [ref('stg_shapes__regions')]) }}
