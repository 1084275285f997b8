-- The golden record without contact details, and what the postal code says of the area.
select
    golden.customer_id,
    golden.gender,
    cast(floor(extract(year from golden.birth_date) / 10) * 10 as integer) as birth_decade,
    golden.country_code,
    regions.region,
    regions.urbanity,
    golden.income_band,
    golden.household_size,
    golden.acquisition_channel,
    regions.income_index,
    golden.acquisition_cost_amount
from {{ ref('golden_records') }} as golden
left join {{ ref('person_areas') }} as regions on golden.customer_id = regions.customer_id
