{{ shape_from_raw('orders', source('raw', 'orders')) }}
