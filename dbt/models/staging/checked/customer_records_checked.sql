{{ checked_shape('customer_records', [ref('stg_shapes__customer_records'), ref('stg_complete_journey__customer_records')]) }}
