{{ shape_from_raw('order_items', source('raw', 'order_items')) }}
