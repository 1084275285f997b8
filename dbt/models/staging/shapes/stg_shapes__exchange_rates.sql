{{ shape_from_raw('exchange_rates', source('raw', 'exchange_rates')) }}
