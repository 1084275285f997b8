select
    slices.*,
    names.microsegment_name
from {{ source('predictions', 'microsegment_potential') }} as slices
inner join {{ ref('current_as_of_date') }} as latest
    on slices.as_of_date = latest.as_of_date
    and latest.is_promoted
left join {{ source('predictions', 'microsegments') }} as names
    on slices.microsegment_key = names.microsegment_key
    and slices.as_of_date = names.as_of_date
