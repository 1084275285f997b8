select slices.*
{{ current_slice('contract_ltv') }}
