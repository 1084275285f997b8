{{ shape_from_raw('products', source('raw', 'products')) }}
