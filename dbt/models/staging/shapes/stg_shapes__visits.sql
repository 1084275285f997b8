{{ shape_from_raw('visits', source('raw', 'visits')) }}
