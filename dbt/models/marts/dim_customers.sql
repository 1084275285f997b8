-- Guests and devices are persons without attributes.
with persons as (
    select
        customer_id,
        count(*) as records_count,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from {{ source('identity', 'customers_map') }}
    group by customer_id
)
select
    persons.customer_id,
    attributes.gender,
    attributes.birth_decade,
    attributes.country_code,
    attributes.region,
    attributes.urbanity,
    attributes.income_band,
    attributes.household_size,
    attributes.acquisition_channel,
    households.household_id,
    households.persons_count as household_persons_count,
    coalesce(attributes.is_test, false) as is_test,
    persons.records_count,
    attributes.income_index,
    attributes.acquisition_cost_amount,
    persons.first_seen_at,
    persons.last_seen_at,
    {{ business_date('persons.first_seen_at') }} as first_seen_date
from persons
left join {{ ref('int_customer_attributes') }} as attributes on persons.customer_id = attributes.customer_id
left join {{ ref('households') }} as households on persons.customer_id = households.customer_id
