-- The name of the metric stands in where an event has none of its own.
with metrics as (
    select id, min(name) as name from {{ source('raw', 'klaviyo_metric') }} group by id
)
select
    events._row_number,
    events.id as event_id,
    events.person_id,
    coalesce(events.campaign_id, events.flow_id) as action_id,
    {{ clean_text('events.campaign_id') }} as campaign_id,
    {{ clean_text('events.flow_message_id') }} as flow_message_id,
    events.datetime as occurred_at_text,
    coalesce({{ clean_text('events.type') }}, metrics.name) as event_name,
    events.property_product_id as product_id,
    coalesce({{ cast_text('events._fivetran_deleted', 'boolean') }}, false) as is_deleted
from {{ source('raw', 'klaviyo_event') }} as events
left join metrics on events.metric_id = metrics.id
