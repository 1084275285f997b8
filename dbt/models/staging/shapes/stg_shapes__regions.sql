{{ shape_from_raw('regions', source('raw', 'regions')) }}
