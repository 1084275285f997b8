select slices.*
{{ current_slice('cohort_ltv') }}
