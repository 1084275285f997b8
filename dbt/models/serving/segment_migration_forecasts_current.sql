select
    slices.*,
    coalesce(names.microsegment_name, slices.key) as key_name
{{ current_slice('segment_migration_forecasts') }}
left join {{ source('predictions', 'microsegments') }} as names
    on slices.level = 'microsegment'
    and slices.key = names.microsegment_key
    and slices.as_of_date = names.as_of_date
