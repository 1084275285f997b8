-- Campaigns and flows: what a message belongs to. Costs are the company's to add, in actions.csv.
select
    {{ shape_row('actions', {
        'action_id': 'id',
        'action_name': 'name',
        'channel': "case when lower(campaign_type) like '%sms%' then 'sms' else 'email' end",
        'offer_type': "'campaign'",
        'starts_on': 'coalesce(sent_at, send_time)',
        'ends_on': 'coalesce(sent_at, send_time)',
        'is_randomised': "'false'",
    }, 'klaviyo_campaign') }}
from {{ source('raw', 'klaviyo_campaign') }}
union all
select
    {{ shape_row('actions', {
        'action_id': 'id',
        'action_name': 'name',
        'channel': "case when lower(name) like '%sms%' then 'sms' else 'email' end",
        'offer_type': "'flow'",
        'starts_on': 'created',
        'is_randomised': "'false'",
    }, 'klaviyo_flow') }}
from {{ source('raw', 'klaviyo_flow') }}
