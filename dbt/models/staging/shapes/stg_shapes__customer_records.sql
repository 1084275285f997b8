{{ shape_from_raw('customer_records', source('raw', 'customer_records')) }}
