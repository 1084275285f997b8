{{ config(materialized='view') }}

-- A login names a record; where the record has an e-mail, that is the login, so that one person's
-- two ways to log in count once.
with uses as (
    select
        web_events.device_id,
        coalesce(web_events.source_system, lone_record_ids.source_system) as source_system,
        web_events.source_record_id,
        web_events.email
    from {{ ref('web_events') }} as web_events
    left join {{ ref('lone_record_ids') }} as lone_record_ids
        on web_events.source_record_id = lone_record_ids.source_record_id
    union all
    select device_id, source_system, source_record_id, email from {{ ref('orders') }}
    union all
    select device_id, source_system, source_record_id, email from {{ ref('customer_records') }}
)
select distinct
    uses.device_id,
    uses.source_system,
    uses.source_record_id,
    coalesce(
        {{ normalised_email('records.email') }},
        {{ normalised_email('uses.email') }},
        uses.source_system || '|' || uses.source_record_id
    ) as login
from uses
left join {{ ref('customer_records') }} as records
    on uses.source_system = records.source_system
    and uses.source_record_id = records.source_record_id
where uses.device_id is not null
    and coalesce({{ normalised_email('uses.email') }}, uses.source_system || '|' || uses.source_record_id) is not null
