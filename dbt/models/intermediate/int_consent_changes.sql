{{ config(materialized='view') }}

-- Where records of one person disagree at the same moment, the refusal stands.
select
    customers.customer_id,
    lower(consents.purpose) as purpose,
    consents.changed_at,
    max(case when consents.is_granted then 0 else 1 end) = 0 as is_granted
from {{ ref('consents') }} as consents
inner join {{ source('identity', 'customers_map') }} as customers
    on consents.source_system = customers.source_system
    and consents.source_record_id = customers.source_record_id
group by customers.customer_id, lower(consents.purpose), consents.changed_at
