-- Persons stay persons: this only says who lives together, by address and family name or by a shared telephone.
with persons as (
    select
        golden.customer_id,
        min(customers.first_seen_at) as first_seen_at,
        min(golden.phone) as phone,
        min(
            {{ keep_only('upper(golden.postal_code)', '0-9A-Z') }} || '|' || {{ plain_street('golden.street') }} || '|'
            || {{ house_number('golden.street') }} || '|'
            || split_part({{ without_words(plain_words('golden.last_name'), name_particles()) }}, ' ', 1)
        ) as address_key
    from {{ ref('golden_records') }} as golden
    inner join {{ source('identity', 'customers_map') }} as customers on golden.customer_id = customers.customer_id
    group by golden.customer_id
),
doors as (
    select
        persons.customer_id,
        persons.first_seen_at,
        persons.phone,
        coalesce(persons.address_key, persons.phone, persons.customer_id) as door
    from persons
),
-- Two surnames behind one door, or one telephone at two addresses, are one household: the smaller key stands.
phones as (
    select phone, min(door) as door
    from doors
    where phone is not null
    group by phone
    having count(*) <= {{ var('identity_max_household_persons') }}
),
joined as (
    select doors.door, min(coalesce(phones.door, doors.door)) as household_key
    from doors
    left join phones on doors.phone = phones.phone
    group by doors.door
),
members as (
    select
        doors.customer_id,
        first_value(doors.customer_id) over (
            partition by joined.household_key
            order by doors.first_seen_at, doors.customer_id
            rows between unbounded preceding and unbounded following
        ) as eldest_customer_id,
        count(*) over (partition by joined.household_key) as persons_count
    from doors
    inner join joined on doors.door = joined.door
)
select
    customer_id,
    -- Hashed once more: the living must not keep the id of somebody who is forgotten.
    'h_' || substr(md5('household ' || case
        when persons_count <= {{ var('identity_max_household_persons') }} then eldest_customer_id else customer_id
    end), 1, 16) as household_id,
    case when persons_count <= {{ var('identity_max_household_persons') }} then persons_count else 1 end as persons_count
from members
