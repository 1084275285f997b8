{{ shape_from_raw('action_exposures', source('raw', 'action_exposures')) }}
