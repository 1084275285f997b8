select slices.*
{{ current_slice('potential_shares') }}
