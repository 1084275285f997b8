select slices.*
{{ current_slice('customer_potential') }}
