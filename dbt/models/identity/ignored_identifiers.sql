select
    identifier_type,
    identifier_value,
    records_count,
    case when is_shared_device then 'several_logins' else 'too_many_records' end as reason
from {{ ref('identifier_counts') }}
where is_shared_device or records_count > {{ var('identity_max_records_per_identifier') }}
