{{ config(materialized='table') }}

with names as (
    {% for table, country, record in [
        ('customer_records', 'country_code', "source_system || '|' || source_record_id"), ('klaviyo_person', 'country', 'id'),
    ] %}
    select
        '{{ table }}' as source_table,
        {{ country_key(country) }} as country_name,
        {{ record }} as source_record_id
    from {{ source('raw', table) }}
    union all
    {% endfor %}
    select 'uci_online_retail_lines', country_name, source_record_id
    from {{ ref('uci_online_retail_lines') }}
    where source_record_id is not null
)
select names.source_table, names.country_name, count(distinct names.source_record_id) as records_count
from names
left join {{ ref('country_codes') }} as countries on names.country_name = countries.country_name
where countries.country_code is null and names.country_name <> ''
group by names.source_table, names.country_name
