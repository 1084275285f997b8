select
    slices.*,
    names.microsegment_name
{{ current_slice('microsegment_ltv') }}
left join {{ source('predictions', 'microsegments') }} as names
    on slices.microsegment_key = names.microsegment_key
    and slices.as_of_date = names.as_of_date
