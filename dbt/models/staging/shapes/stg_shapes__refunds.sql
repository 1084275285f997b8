{{ shape_from_raw('refunds', source('raw', 'refunds')) }}
