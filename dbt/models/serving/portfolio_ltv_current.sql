select slices.*
{{ current_slice('portfolio_ltv') }}
