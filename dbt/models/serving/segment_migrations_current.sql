-- A key of a former fit is named as on the date the period starts from.
select
    slices.*,
    coalesce(from_names.microsegment_name, slices.from_stage) as from_name,
    coalesce(to_names.microsegment_name, to_names_before.microsegment_name, slices.to_stage) as to_name
{{ current_slice('segment_migrations') }}
left join {{ source('predictions', 'microsegments') }} as from_names
    on slices.level = 'microsegment'
    and slices.from_key = from_names.microsegment_key
    and slices.from_date = from_names.as_of_date
left join {{ source('predictions', 'microsegments') }} as to_names
    on slices.level = 'microsegment'
    and slices.to_key = to_names.microsegment_key
    and slices.as_of_date = to_names.as_of_date
left join {{ source('predictions', 'microsegments') }} as to_names_before
    on slices.level = 'microsegment'
    and slices.to_key = to_names_before.microsegment_key
    and slices.from_date = to_names_before.as_of_date
