select slices.*
{{ current_slice('segment_definitions') }}
