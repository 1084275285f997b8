select
    {{ shape_row('actions', {
        'action_id': 'campaign_id',
        'action_name': "'Campaign ' || campaign_id",
        'channel': "'mail'",
        'offer_type': "'coupons, ' || campaign_type",
        'starts_on': 'start_date',
        'ends_on': 'end_date',
        'is_randomised': "'false'",
    }, 'complete_journey_campaign_descriptions') }}
from {{ source('raw', 'complete_journey_campaign_descriptions') }}
