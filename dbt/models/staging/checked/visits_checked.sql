{{ checked_shape('visits', [ref('stg_shapes__visits')]) }}
