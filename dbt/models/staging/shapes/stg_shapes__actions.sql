{{ shape_from_raw('actions', source('raw', 'actions')) }}
