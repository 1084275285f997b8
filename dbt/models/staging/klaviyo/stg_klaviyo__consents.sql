-- The channels a profile consented to, changes from the events of subscribing and unsubscribing, and withdrawals
-- where the profile was deleted or its address suppressed. What a profile holds now is dated by when it was
-- consented to or else by its making, never by its last change: a new address would bring back a consent that was
-- withdrawn before. A suppression withdraws from every profile with its address, whichever of them is in use. Nothing is granted at or after the moment a profile was seen deleted, or when nobody knows it.
with profiles as (
    select
        profiles.*,
        {{ klaviyo_is_deleted('profiles.') }} as is_deleted,
        coalesce({{ clean_text('custom_consent_timestamp') }}, created) as granted_at_text,
        {{ first_readable_instant(['_fivetran_synced', 'updated', 'created']) }} as withdrawn_at_text
    from {{ source('raw', 'klaviyo_person') }} as profiles
),
withdrawals as (
    select
        trim(id) as profile_id,
        min(coalesce({{ cast_text('withdrawn_at_text', 'timestamp') }}, cast('1900-01-01' as timestamp))) as withdrawn_at
    from profiles
    where is_deleted
    group by trim(id)
),
addresses as (
    {{ klaviyo_profiles_by_address() }}
),
exclusions as (
    select
        exclusions._row_number,
        addresses.profile_id,
        {{ first_readable_instant(['exclusions.timestamp', 'exclusions._fivetran_synced']) }} as suppressed_at_text,
        {{ klaviyo_is_deleted('exclusions.') }} as is_lifted
    from {{ source('raw', 'klaviyo_global_exclusion') }} as exclusions
    left join addresses on lower(trim(exclusions.email)) = addresses.email
)
{% for purpose in ['email', 'sms'] %}
{%- set is_late_grant = klaviyo_event_type(purpose ~ '_consents', 'event_name') ~ " = 'true' and "
    ~ cast_text('occurred_at_text', 'timestamp') ~ ' >= withdrawals.withdrawn_at' %}
select
    {{ shape_row('consents', {
        'source_system': "'klaviyo'",
        'source_record_id': 'profiles.id',
        'purpose': "'" ~ purpose ~ "'",
        'changed_at': 'profiles.granted_at_text',
        'is_granted': "'true'",
    }, 'klaviyo_person') }},
    {{ refusal(
        'case when ' ~ cast_text('profiles.granted_at_text', 'timestamp') ~ " >= withdrawals.withdrawn_at then 'deleted_at_source' end",
        "'the profile was deleted in Klaviyo'",
    ) }}
from profiles
left join withdrawals on trim(profiles.id) = withdrawals.profile_id
where lower(custom_consent) like '%{{ purpose }}%'
union all
select
    {{ shape_row('consents', {
        'source_system': "'klaviyo'",
        'source_record_id': 'id',
        'purpose': "'" ~ purpose ~ "'",
        'changed_at': 'withdrawn_at_text',
        'is_granted': "'false'",
    }, 'klaviyo_person') }},
    {{ refusal('null', 'null') }}
from profiles
where is_deleted
union all
select
    {{ shape_row('consents', {
        'source_system': "'klaviyo'",
        'source_record_id': 'person_id',
        'purpose': "'" ~ purpose ~ "'",
        'changed_at': 'occurred_at_text',
        'is_granted': klaviyo_event_type(purpose ~ '_consents', 'event_name'),
    }, 'klaviyo_event') }},
    {{ refusal(
        'case when is_deleted or (' ~ is_late_grant ~ ") then 'deleted_at_source' end",
        "case when is_deleted then 'the event was deleted in Klaviyo' when " ~ is_late_grant
        ~ " then 'the profile was deleted in Klaviyo before' end",
    ) }}
from {{ ref('klaviyo_events_named') }}
left join withdrawals on trim(person_id) = withdrawals.profile_id
where {{ klaviyo_event_type(purpose ~ '_consents', 'event_name') }} is not null
union all
{% endfor %}
select
    {{ shape_row('consents', {
        'source_system': "'klaviyo'",
        'source_record_id': 'profile_id',
        'purpose': "'email'",
        'changed_at': 'suppressed_at_text',
        'is_granted': "'false'",
    }, 'klaviyo_global_exclusion') }},
    {{ refusal(
        "case when is_lifted then 'deleted_at_source' when profile_id is null then 'unknown_profile' end",
        "case when is_lifted then 'the suppression was lifted in Klaviyo' when profile_id is null then 'no profile has the suppressed address' end",
    ) }}
from exclusions
