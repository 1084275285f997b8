{{ checked_shape('contracts', [ref('stg_shapes__contracts')]) }}
