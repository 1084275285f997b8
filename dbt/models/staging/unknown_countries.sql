{{ config(materialized='table') }}

with names as (
    select 'klaviyo_person' as source_table, lower(trim(country)) as country_name, id as source_record_id
    from {{ source('raw', 'klaviyo_person') }}
    where length(trim(country)) <> 2
    union all
    select 'uci_online_retail_lines', country_name, source_record_id
    from {{ ref('uci_online_retail_lines') }}
    where source_record_id is not null
)
select names.source_table, names.country_name, count(distinct names.source_record_id) as records_count
from names
left join {{ ref('country_codes') }} as countries on names.country_name = countries.country_name
where countries.country_code is null and names.country_name <> ''
group by names.source_table, names.country_name
