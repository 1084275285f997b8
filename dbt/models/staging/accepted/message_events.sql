{{ accepted_rows('message_events', ref('message_events_checked')) }}
