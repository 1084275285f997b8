-- A device with several logins (a shared tablet) joins nobody: neither its id nor what was typed on it.
with shared_devices as (
    select device_id from {{ ref('device_logins') }} group by device_id having count(distinct login) > 1
)
select
    stated.source_system,
    stated.source_record_id,
    stated.identifier_type,
    stated.identifier_value,
    counts.records_count <= {{ var('identity_max_records_per_identifier') }}
        and not counts.is_shared_device
        and shared_devices.device_id is null as is_joinable
from {{ ref('stated_identifiers') }} as stated
inner join {{ ref('identifier_counts') }} as counts
    on stated.identifier_type = counts.identifier_type
    and stated.identifier_value = counts.identifier_value
left join shared_devices
    on stated.source_system = 'device'
    and stated.source_record_id = shared_devices.device_id
