{{ checked_shape('message_events', [ref('stg_shapes__message_events')]) }}
