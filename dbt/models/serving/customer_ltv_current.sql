select slices.*
{{ current_slice('customer_ltv') }}
