{{ config(materialized='table') }}

-- What each record says of itself, before any limit. A phone counts only together with the name.
with stated as (
    {% for type in ['email', 'phone', 'loyalty_id', 'device_id'] %}
    select source_system, source_record_id, '{{ type }}' as identifier_type, {{ type }} as identifier_value
    from {{ ref('customer_records') }}
    union all
    select source_system, coalesce(source_record_id, 'order:' || order_id), '{{ type }}', {{ type }}
    from {{ ref('orders') }}
    union all
    {% endfor %}
    select source_system, source_record_id, lower(identifier_type), identifier_value
    from {{ ref('identifiers') }}
    union all
    select 'device', source_record_id, 'device_id', source_record_id
    from {{ ref('source_records') }}
    where record_type = 'device'
    union all
    select source_system, source_record_id, 'login', source_system || '|' || source_record_id
    from {{ ref('device_logins') }}
    union all
    select 'device', device_id, 'login', source_system || '|' || source_record_id from {{ ref('device_logins') }}
    union all
    select 'device', device_id, 'email', login from {{ ref('device_logins') }}
),
normalised as (
    select
        stated.source_system,
        stated.source_record_id,
        case when identifier_type = 'phone' then 'phone_and_name' else identifier_type end as identifier_type,
        case
            when identifier_type = 'email' then {{ normalised_email('identifier_value') }}
            when identifier_type = 'phone'
                -- Spaniards write one surname or two.
                then phones.e164 || '|' || names.given_name || '|' || split_part(names.family_name, ' ', 1)
            when identifier_type = 'loyalty_id' then {{ plain_number('identifier_value') }}
            else trim(identifier_value)
        end as identifier_value
    from stated
    left join {{ ref('normalised_records') }} as names
        on stated.source_system = names.source_system
        and stated.source_record_id = names.source_record_id
    left join {{ source('identity', 'phone_numbers') }} as phones
        on stated.identifier_type = 'phone'
        and stated.identifier_value = phones.phone
        and coalesce(names.country_code, '') = phones.country_code
)
select distinct
    normalised.source_system,
    normalised.source_record_id,
    normalised.identifier_type,
    normalised.identifier_value
from normalised
inner join {{ ref('source_records') }} as known
    on normalised.source_system = known.source_system
    and normalised.source_record_id = known.source_record_id
where normalised.identifier_value is not null
