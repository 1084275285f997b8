{{ shape_from_raw('message_events', source('raw', 'message_events')) }}
