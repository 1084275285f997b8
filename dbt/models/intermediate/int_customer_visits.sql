-- Only visits made while location was allowed. Places become numbers and coordinates distances: neither leaves here.
with visits as (
    select
        visits.visit_id,
        visits.visited_at,
        visits.latitude,
        visits.longitude,
        coalesce(
            visits.place_id,
            cast(round(visits.latitude, 2) as {{ dbt.type_string() }}) || ' '
            || cast(round(visits.longitude, 2) as {{ dbt.type_string() }})
        ) as place_key,
        {{ joined_known_date('visits', 'visited_at') }} as known_date,
        {{ joined_person() }} as customer_id
    from (
        select visit_id, visited_at, latitude, longitude, place_id, source_system, source_record_id, device_id,
            cast(null as {{ dbt.type_string() }}) as email
        from {{ ref('visits') }}
    ) as visits
    {{ join_person('visits', 'visited_at') }}
),
permissions as (
    select
        customer_id,
        is_granted,
        changed_at as valid_from_at,
        lead(changed_at, 1, cast('2200-01-01' as timestamp)) over (
            partition by customer_id order by changed_at
        ) as valid_until_at
    from {{ ref('int_consent_changes') }}
    where purpose = 'geo'
),
placed as (
    select
        visits.customer_id,
        visits.visit_id,
        {{ business_date('visits.visited_at') }} as visit_date,
        visits.known_date,
        case when visits.place_key is not null then
            dense_rank() over (partition by visits.customer_id order by visits.place_key)
        end as place_number,
        {{ distance_km('homes.latitude', 'homes.longitude', 'visits.latitude', 'visits.longitude') }} as distance_km
    from visits
    inner join permissions
        on visits.customer_id = permissions.customer_id
        and permissions.is_granted
        and visits.visited_at >= permissions.valid_from_at
        and visits.visited_at < permissions.valid_until_at
    left join {{ ref('person_areas') }} as homes on visits.customer_id = homes.customer_id
)
select
    customer_id,
    visit_id,
    visit_date,
    known_date,
    place_number,
    distance_km,
    distance_km <= {{ var('near_home_km') }} as is_near_home
from placed
