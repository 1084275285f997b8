{{ shape_from_raw('web_events', source('raw', 'web_events')) }}
