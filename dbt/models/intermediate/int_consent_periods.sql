-- The state of a day is the one at its end. A later change ends a period and leaves the days before as they were.
with changes as (
    select
        customer_id,
        purpose,
        is_granted,
        {{ business_date('changed_at') }} as changed_date,
        row_number() over (
            partition by customer_id, purpose, {{ business_date('changed_at') }} order by changed_at desc
        ) as rank_of_day
    from {{ ref('int_consent_changes') }}
),
days as (
    select
        customer_id,
        purpose,
        is_granted,
        changed_date,
        lag(is_granted) over (partition by customer_id, purpose order by changed_date) as was_granted
    from changes
    where rank_of_day = 1
)
select
    customer_id,
    purpose,
    is_granted,
    changed_date as valid_from,
    lead(changed_date, 1, cast('2200-01-01' as date)) over (
        partition by customer_id, purpose order by changed_date
    ) as valid_until
from days
where was_granted is null or was_granted <> is_granted
