-- Of several records the one updated last wins, column by column, where it has a value.
with ranked as (
    select
        customers.customer_id,
        records.*,
        row_number() over (
            partition by customers.customer_id
            order by
                coalesce(records.updated_at, records.created_at, cast('1900-01-01' as timestamp)),
                records.source_system,
                records.source_record_id
        ) as recency_rank
    from {{ source('identity', 'customers_map') }} as customers
    inner join {{ ref('customer_records') }} as records
        on customers.source_system = records.source_system
        and customers.source_record_id = records.source_record_id
)
select
    customer_id,
    {% for column in [
        'email', 'phone', 'first_name', 'last_name', 'birth_date', 'gender', 'street', 'city', 'postal_code',
        'country_code', 'loyalty_id', 'income_band', 'household_size', 'acquisition_channel',
    ] %}
    {{ latest_known(column, 'recency_rank') }} as {{ column }},
    {% endfor %}
    cast(sum(acquisition_cost_amount) as {{ money_type() }}) as acquisition_cost_amount,
    max(case when is_test then 1 else 0 end) = 1 as is_test
from ranked
group by customer_id
