{{ config(materialized='view') }}

-- What counts towards the limit are portraits: guest orders that say the same of themselves are one
-- (a loyal guest is no over-merge), and devices none (browsers forget, so one login has many).
with portraits as (
    select
        source_system,
        source_record_id,
        case
            when source_record_id like 'order:%' then {{ dbt.listagg(
                "identifier_type || '=' || identifier_value", "'|'", "order by identifier_type, identifier_value"
            ) }}
            when source_system <> 'device' then source_system || '|' || source_record_id
        end as portrait
    from {{ ref('stated_identifiers') }}
    group by source_system, source_record_id
),
shared_devices as (
    select device_id from {{ ref('device_logins') }} group by device_id having count(distinct login) > 1
)
select
    stated.identifier_type,
    stated.identifier_value,
    count(distinct portraits.portrait) as records_count,
    max(case when shared_devices.device_id is null then 0 else 1 end) = 1 as is_shared_device
from {{ ref('stated_identifiers') }} as stated
inner join portraits
    on stated.source_system = portraits.source_system
    and stated.source_record_id = portraits.source_record_id
left join shared_devices
    on stated.identifier_type = 'device_id'
    and stated.identifier_value = shared_devices.device_id
group by stated.identifier_type, stated.identifier_value
