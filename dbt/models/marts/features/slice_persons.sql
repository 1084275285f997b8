-- Only the year of birth enters: a day more exact would show the birthday to whoever compares two slices.
with persons as (
    select
        golden.customer_id,
        households.persons_count as household_persons_count,
        cast(extract(year from {{ as_of_date() }}) - extract(year from golden.birth_date) as bigint) as age_years
    from {{ ref('golden_records') }} as golden
    left join {{ ref('households') }} as households on golden.customer_id = households.customer_id
)
select
    customer_id,
    household_persons_count,
    case when age_years between 0 and 120 then age_years end as age_years,
    case
        when age_years between 0 and 17 then 'under 18'
        {% for first in [18, 25, 35, 45, 55, 65] %}
        when age_years between {{ first }} and {{ [24, 34, 44, 54, 64, 74][loop.index0] }}
            then '{{ first }}-{{ [24, 34, 44, 54, 64, 74][loop.index0] }}'
        {% endfor %}
        when age_years between 75 and 120 then '75 or over'
    end as age_band
from persons
