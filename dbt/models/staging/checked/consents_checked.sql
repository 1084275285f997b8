{{ checked_shape('consents', [ref('stg_shapes__consents')]) }}
