{{ checked_shape('identity_overrides', [ref('stg_shapes__identity_overrides')]) }}
