{{ checked_shape('exchange_rates', [ref('stg_shapes__exchange_rates')]) }}
