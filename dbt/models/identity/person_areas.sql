-- What the postal code of a person says of the area. Codes are spelt with and without blanks and dashes, and
-- spreadsheets lose leading zeros: those of a person come back where the country's length is known, those of a
-- region where only one region can be meant and nothing says that the code is complete: customers in a country whose
-- codes are as long as it, or regions of the person's length that kept their zeros. Regions none of which is of the
-- person's length are of other countries, unless all customers of that length live where codes begin with a zero.
with persons as (
    select
        customer_id,
        {{ postal_key('postal_code', "coalesce(country_code, '" ~ var('identity_default_country') | upper ~ "')") }} as postal_key,
        {{ postal_length("coalesce(country_code, '" ~ var('identity_default_country') | upper ~ "')") }} as postal_length
    from {{ ref('golden_records') }}
    where postal_code is not null
),
spelt as (
    select regions.*, {{ keep_only('upper(postal_code)', '0-9A-Z') }} as postal_key
    from {{ ref('regions') }} as regions
),
areas as (
    select
        spelt.*,
        {{ postal_digits('postal_key') }} as bare_key,
        row_number() over (partition by postal_key order by postal_code) as spelling
    from spelt
),
lone_areas as (
    select bare_key, min(postal_key) as postal_key
    from areas
    where spelling = 1 and bare_key is not null
    group by bare_key
    having count(*) = 1
),
complete_lengths as (
    select distinct postal_length from persons where postal_length is not null
),
kept_lengths as (
    select distinct length(postal_key) as postal_length
    from areas
    where bare_key is not null and substr(postal_key, 1, 1) = '0'
),
covered_lengths as (
    select length(postal_key) as postal_length from areas where bare_key is not null
    union
    select postal_length
    from persons
    where postal_length is not null
    group by postal_length
    having min(case when substr(postal_key, 1, 1) = '0' then 1 else 0 end) = 1
),
matched as (
    select
        persons.customer_id,
        coalesce(
            exact.postal_key,
            case
                when persons.postal_length is null
                    or (complete.postal_length is null and kept.postal_length is null and covered.postal_length is not null)
                    then lone_areas.postal_key
            end
        ) as postal_key
    from persons
    left join areas as exact on persons.postal_key = exact.postal_key and exact.spelling = 1
    -- A code of full length has lost nothing: 8001 of Zurich is not 08001 of Barcelona.
    left join lone_areas
        on exact.postal_key is null
        and {{ postal_digits('persons.postal_key') }} = lone_areas.bare_key
        and (persons.postal_length is null or length(lone_areas.postal_key) <= length(persons.postal_key))
    -- And 8001 of Zurich, where Zurich has customers, is not what a spreadsheet left of 08001.
    left join complete_lengths as complete on length(lone_areas.postal_key) = complete.postal_length
    left join kept_lengths as kept on length(persons.postal_key) = kept.postal_length
    left join covered_lengths as covered on persons.postal_length = covered.postal_length
)
select
    matched.customer_id,
    areas.region,
    areas.urbanity,
    areas.income_index,
    areas.latitude,
    areas.longitude
from matched
inner join areas on matched.postal_key = areas.postal_key and areas.spelling = 1
