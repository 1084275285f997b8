{{ config(materialized='view') }}

select source_record_id, min(source_system) as source_system
from {{ ref('customer_records') }}
group by source_record_id
having count(distinct source_system) = 1
