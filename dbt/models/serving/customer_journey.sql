-- Slices may be built in any order and some dates never: the past is read from what was promoted.
-- History keeps the ids it was written under: those of merged persons are read as the person of today.
with written as (
    select
        coalesce(superseded.customer_id, lifecycle.customer_id) as customer_id,
        lifecycle.as_of_date,
        lifecycle.stage,
        segments.microsegment_key,
        row_number() over (
            partition by coalesce(superseded.customer_id, lifecycle.customer_id), lifecycle.as_of_date
            order by case when superseded.customer_id is null then 0 else 1 end, lifecycle.customer_id
        ) as identity_rank
    from {{ source('predictions', 'customer_lifecycle') }} as lifecycle
    inner join {{ source('models', 'promoted_dates') }} as promoted
        on lifecycle.as_of_date = promoted.as_of_date
        and promoted.is_promoted
    left join {{ source('predictions', 'customer_microsegments') }} as segments
        on lifecycle.customer_id = segments.customer_id
        and lifecycle.as_of_date = segments.as_of_date
    left join {{ source('identity', 'superseded') }} as superseded
        on lifecycle.customer_id = superseded.old_customer_id
),
-- Two merged persons had a row each on the dates before: the row of the id that stayed stands for both.
slices as (
    select customer_id, as_of_date, stage, microsegment_key from written where identity_rank = 1
),
steps as (
    select
        slices.*,
        row_number() over w as slice_number,
        {% for back in [1, 2, 3] %}
        lag(stage, {{ back }}) over w as stage_{{ back }}_before,
        {% endfor %}
        lag(microsegment_key) over w as previous_microsegment_key
    from slices
    window w as (partition by customer_id order by as_of_date)
),
starts as (
    select
        steps.*,
        case when slice_number = 1 or stage_1_before <> stage then as_of_date end as stage_start,
        case
            when slice_number = 1 or coalesce(previous_microsegment_key, '') <> coalesce(microsegment_key, '')
                then as_of_date
        end as microsegment_start
    from steps
),
spells as (
    select
        starts.*,
        max(stage_start) over (partition by customer_id order by as_of_date) as in_stage_since_date,
        max(microsegment_start) over (partition by customer_id order by as_of_date) as in_microsegment_since_date
    from starts
)
select
    customer_id,
    as_of_date,
    stage,
    stage_1_before as previous_stage,
    in_stage_since_date,
    {{ days_between('in_stage_since_date', 'as_of_date') }} as days_in_stage,
    microsegment_key,
    previous_microsegment_key,
    in_microsegment_since_date,
    {{ days_between('in_microsegment_since_date', 'as_of_date') }} as days_in_microsegment,
    coalesce(stage_3_before || ' > ', '') || coalesce(stage_2_before || ' > ', '')
        || coalesce(stage_1_before || ' > ', '') || stage as stage_path
from spells
