{{ config(materialized='view') }}

select
    max(case when shape = 'order_items' and is_delivered then 1 else 0 end) = 1 as has_items,
    max(case when shape = 'web_events' and is_delivered then 1 else 0 end) = 1 as has_web_events,
    max(case when shape = 'message_events' and is_delivered then 1 else 0 end) = 1 as has_messages,
    max(case when shape = 'action_exposures' and is_delivered then 1 else 0 end) = 1 as has_actions,
    max(case when shape = 'visits' and is_delivered then 1 else 0 end) = 1 as has_visits,
    max(case when shape = 'refunds' and is_delivered then 1 else 0 end) = 1 as has_refunds,
    max(case when shape = 'products' and is_delivered then 1 else 0 end) = 1 as has_products,
    exists (select 1 from {{ ref('products') }} where brand is not null) as has_brands
from {{ ref('delivered_shapes') }}
