-- Before its first login a device is the person's who then logs in, for the days that config.yml allows;
-- after a login it is that person's until somebody else's session begins. What was done before the login is known to
-- be the person's from the day of the login on, and no slice before that day may count it: who came back would show
-- visits, who did not would show none. Whom nothing but the device has shown until then is the device, at any time and
-- from its first use on: with the days of config.yml, its older visits would be gone only if it registers later.
with paused as (
    select
        uses.*,
        {{ business_date('used_at') }} as used_date,
        lag(used_at) over (partition by device_id order by used_at, customer_id) as previous_used_at
    from {{ ref('device_uses') }} as uses
),
sessions as (
    select
        paused.*,
        max(case when previous_used_at >= {{ dbt.dateadd('minute', -30, 'used_at') }} then null else used_at end) over (
            partition by device_id order by used_at, customer_id rows between unbounded preceding and current row
        ) as session_started_at
    from paused
),
logins as (
    select
        sessions.*,
        lag(customer_id) over (partition by device_id order by used_at, customer_id) as previous_customer_id,
        lag(used_at) over (partition by device_id order by used_at, customer_id) as previous_login_at
    from sessions
    where customer_id is not null
),
first_shown as (
    select customer_id, {{ business_date('min(first_seen_at)') }} as shown_date
    from {{ source('identity', 'customers_map') }}
    where source_system <> 'device'
    group by customer_id
),
changes as (
    select
        logins.device_id,
        logins.customer_id,
        case
            when previous_customer_id is null and first_shown.shown_date >= used_date then cast('1900-01-01' as timestamp)
            when previous_customer_id is null
                then {{ dbt.dateadd('day', -var('identity_device_lookback_days'), 'used_at') }}
            -- Two persons in one session, or a session of two days: from the login on.
            when previous_login_at >= session_started_at or {{ business_date('session_started_at') }} < used_date
                then used_at
            else session_started_at
        end as valid_from,
        case when first_shown.shown_date >= used_date then cast('1900-01-01' as date) else used_date end as known_date
    from logins
    left join first_shown on logins.customer_id = first_shown.customer_id
    where previous_customer_id is null or previous_customer_id <> logins.customer_id
),
periods as (
    select
        device_id,
        customer_id,
        known_date,
        valid_from,
        lead(valid_from, 1, cast('9999-12-31' as timestamp)) over (
            partition by device_id order by valid_from, customer_id
        ) as valid_until
    from changes
)
select device_id, customer_id, known_date, valid_from, valid_until from periods where valid_from < valid_until
union all
-- Nobody ever logged in: the device is the person its records make it, or one of its own.
select
    customers.source_record_id,
    customers.customer_id,
    cast('1900-01-01' as date),
    cast('1900-01-01' as timestamp),
    cast('9999-12-31' as timestamp)
from {{ source('identity', 'customers_map') }} as customers
left join (select distinct device_id from changes) as known on customers.source_record_id = known.device_id
where customers.source_system = 'device'
    and known.device_id is null
