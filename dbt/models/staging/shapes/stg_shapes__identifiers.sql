{{ shape_from_raw('identifiers', source('raw', 'identifiers')) }}
