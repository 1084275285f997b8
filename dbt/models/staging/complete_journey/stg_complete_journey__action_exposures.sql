-- The shop chose whom to write to, so everyone listed is treated and nobody is a control.
with starts as (
    select campaign_id, min(start_date) as start_date
    from {{ source('raw', 'complete_journey_campaign_descriptions') }}
    group by campaign_id
),
redeemers as (
    select distinct campaign_id, household_id
    from {{ source('raw', 'complete_journey_coupon_redemptions') }}
)
select
    {{ shape_row('action_exposures', {
        'action_id': 'campaigns.campaign_id',
        'source_system': "'complete_journey'",
        'source_record_id': 'campaigns.household_id',
        'assigned_at': 'substring(starts.start_date, 1, 10)',
        'arm': "'treated'",
        'is_delivered': "'true'",
        'is_redeemed': "case when redeemers.household_id is null then 'false' else 'true' end",
    }, 'complete_journey_campaigns') }}
from {{ source('raw', 'complete_journey_campaigns') }} as campaigns
left join starts on campaigns.campaign_id = starts.campaign_id
left join redeemers
    on campaigns.campaign_id = redeemers.campaign_id
    and campaigns.household_id = redeemers.household_id
