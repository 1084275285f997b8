select
    slices.*,
    coalesce(names.microsegment_name, slices.key) as key_name
from {{ source('predictions', 'segment_migration_forecasts') }} as slices
inner join {{ ref('current_as_of_date') }} as latest
    on slices.as_of_date = latest.as_of_date
    and latest.is_promoted
left join {{ source('predictions', 'microsegments') }} as names
    on slices.level = 'microsegment'
    and slices.key = names.microsegment_key
    and slices.as_of_date = names.as_of_date
