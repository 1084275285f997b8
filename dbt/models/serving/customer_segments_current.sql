select
    members.as_of_date,
    members.segment,
    definitions.description,
    definitions.kind,
    members.customer_id
from {{ source('predictions', 'customer_segment_memberships') }} as members
inner join {{ ref('segment_definitions_current') }} as definitions
    on members.segment = definitions.segment
    and members.as_of_date = definitions.as_of_date
