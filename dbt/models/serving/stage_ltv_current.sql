select slices.*
{{ current_slice('stage_ltv') }}
