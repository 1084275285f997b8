{{ config(materialized='view') }}

-- An address that belongs to two persons belongs to none of them here.
select identifiers.identifier_value as email, min(customers.customer_id) as customer_id
from {{ ref('record_identifiers') }} as identifiers
inner join {{ source('identity', 'customers_map') }} as customers
    on identifiers.source_system = customers.source_system
    and identifiers.source_record_id = customers.source_record_id
where identifiers.identifier_type = 'email'
group by identifiers.identifier_value
having count(distinct customers.customer_id) = 1
