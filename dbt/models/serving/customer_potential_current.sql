select slices.*
from {{ source('predictions', 'customer_potential') }} as slices
inner join {{ ref('current_as_of_date') }} as latest
    on slices.as_of_date = latest.as_of_date
    and latest.is_promoted
