{{ shape_from_raw('consents', source('raw', 'consents')) }}
