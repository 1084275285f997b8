{{ shape_from_raw('erasure_requests', source('raw', 'erasure_requests')) }}
