{{ accepted_rows('web_events', ref('web_events_checked')) }}
