{%- set texts = [
    'email', 'phone', 'first_name', 'last_name', 'gender', 'street', 'city', 'postal_code', 'country_code', 'loyalty_id',
    'income_band', 'household_size', 'acquisition_channel',
] %}
-- Costs add up over the records of a person, and one record marked as a test marks the person.
with persons as (
    select
        customers.customer_id,
        cast(sum(records.acquisition_cost_amount) as {{ money_type() }}) as acquisition_cost_amount,
        max(case when records.is_test then 1 else 0 end) = 1 as is_test
    from {{ source('identity', 'customers_map') }} as customers
    inner join {{ ref('customer_records') }} as records
        on customers.source_system = records.source_system
        and customers.source_record_id = records.source_record_id
    group by customers.customer_id
),
survived as (
    select
        customer_id,
        {% for field in texts %}
        max(case when field = '{{ field }}' then field_value end) as {{ field }},
        {% endfor %}
        cast(max(case when field = 'birth_date' then field_value end) as date) as birth_date
    from {{ ref('golden_fields') }}
    group by customer_id
)
select
    persons.customer_id,
    {% for field in texts %}
    survived.{{ field }},
    {% endfor %}
    survived.birth_date,
    persons.acquisition_cost_amount,
    persons.is_test
from persons
left join survived on persons.customer_id = survived.customer_id
