-- Every value a person's records state, of which one a field survives by the rule that config.yml sets.
{%- set fields = {
    'email': 'lower(trim(records.email))', 'phone': 'normalised.phone',
    'first_name': "coalesce(records.first_name, case when records.last_name is null then split_part(records.full_name, ' ', 1) end)",
    'last_name': "coalesce(records.last_name, case when records.first_name is null "
        ~ "then nullif(trim(substr(records.full_name, length(split_part(records.full_name, ' ', 1)) + 1)), '') end)",
    'birth_date': 'normalised.birth_date', 'gender': 'records.gender', 'street': 'records.street', 'city': 'records.city',
    'postal_code': 'records.postal_code', 'country_code': 'records.country_code', 'loyalty_id': 'records.loyalty_id',
    'income_band': 'records.income_band', 'household_size': 'records.household_size',
    'acquisition_channel': 'records.acquisition_channel',
} %}
{%- set address = ['street', 'city', 'postal_code', 'country_code'] %}
with stated as (
    {% for field, value in fields.items() %}
    select
        customers.customer_id,
        '{{ field }}' as field,
        cast({{ value }} as {{ dbt.type_string() }}) as field_value,
        records.source_system,
        records.source_record_id,
        coalesce(records.updated_at, records.created_at, cast('1900-01-01' as timestamp)) as updated_at,
        coalesce(records.created_at, records.updated_at, cast('2199-12-31' as timestamp)) as created_at,
        -- Parts of an address come from records that state a street, or the parts of two would mix.
        {{ 'case when records.street is null then 1 else 0 end' if field in address else '0' }} as lacks_street
    from {{ source('identity', 'customers_map') }} as customers
    inner join {{ ref('customer_records') }} as records
        on customers.source_system = records.source_system
        and customers.source_record_id = records.source_record_id
    inner join {{ ref('normalised_records') }} as normalised
        on records.source_system = normalised.source_system
        and records.source_record_id = normalised.source_record_id
    where {{ 'normalised.email' if field == 'email' else value }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),
counted as (
    select
        stated.*,
        count(*) over (partition by customer_id, field, lower(field_value)) as records_count
    from stated
),
ruled as (
    select
        counted.*,
        case field
            {%- for field in fields %}
            when '{{ field }}' then '{{ survivorship(field).rule }}'
            {%- endfor %}
        end as survivorship_rule,
        case
            when source_system is null then 0
            {%- for field in fields %}
            {%- for system in survivorship(field).sources %}
            when field = '{{ field }}' and source_system = '{{ system }}' then {{ loop.index }}
            {%- endfor %}
            {%- endfor %}
            else 1000
        end as source_rank
    from counted
),
ranked as (
    select
        ruled.*,
        row_number() over (
            partition by customer_id, field
            order by
                lacks_street,
                source_rank,
                case when survivorship_rule = 'most_frequent' then -records_count else 0 end,
                case when survivorship_rule = 'longest' then -length(field_value) else 0 end,
                case when survivorship_rule = 'earliest' then created_at end,
                updated_at desc,
                source_system desc,
                source_record_id desc
        ) as survival_rank
    from ruled
)
select customer_id, field, field_value, source_system, source_record_id, survivorship_rule
from ranked
where survival_rank = 1
