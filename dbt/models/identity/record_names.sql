{{ config(materialized='view') }}

select
    source_system,
    source_record_id,
    {{ letters_only("coalesce(first_name || last_name, full_name)") }} as name_key
from {{ ref('customer_records') }}
