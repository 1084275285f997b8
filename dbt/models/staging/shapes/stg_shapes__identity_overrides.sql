{{ shape_from_raw('identity_overrides', source('raw', 'identity_overrides')) }}
