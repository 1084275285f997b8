{{ checked_shape('erasure_requests', [ref('stg_shapes__erasure_requests')]) }}
