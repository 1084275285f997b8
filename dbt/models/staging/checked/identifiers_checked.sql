{{ checked_shape('identifiers', [ref('stg_shapes__identifiers')]) }}
