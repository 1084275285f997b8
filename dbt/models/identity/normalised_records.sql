-- What a record says of a person, spelt so that two spellings of one thing are equal.
with data_end as (
    -- An order dated 2150 would make everybody older than 115.
    select max(ordered_at) as ended_at from {{ ref('orders') }} where cast(ordered_at as date) <= current_date
),
other_ids as (
    select source_system, source_record_id, min(identifier_value) as other_id
    from {{ ref('identifiers') }}
    where lower(identifier_type) not in ('email', 'phone', 'loyalty_id', 'device_id')
    group by source_system, source_record_id
),
spelt as (
    select
        records.*,
        {{ plain_words("coalesce(records.first_name, case when records.last_name is null then case "
            ~ "when records.full_name like '%,%' then split_part(records.full_name, ',', 2) else records.full_name end end)") }}
            as given_words,
        {{ plain_words("coalesce(records.last_name, case when records.first_name is null "
            ~ "and records.full_name like '%,%' then split_part(records.full_name, ',', 1) end)") }} as family_words
    from {{ ref('customer_records') }} as records
),
titled as (
    select
        spelt.*,
        {{ without_words('given_words', name_titles()) }} as given,
        {{ without_words('family_words', name_titles() + name_particles()) }} as family,
        -- A whole name in one field: the first word is the given name.
        first_name is null and last_name is null and full_name not like '%,%' as is_unsplit
    from spelt
),
named as (
    select
        titled.*,
        case when is_unsplit then split_part(given, ' ', 1) else given end as given_name,
        case
            when is_unsplit
                then nullif({{ without_words("substr(given, length(split_part(given, ' ', 1)) + 2)", name_particles()) }}, '')
            else family
        end as family_name
    from titled
)
select
    named.source_system,
    named.source_record_id,
    {{ normalised_email('named.email') }} as email,
    phones.e164 as phone,
    case when named.given_name not in ({{ quoted_list(no_names()) }}) then named.given_name end as given_name,
    case when named.family_name not in ({{ quoted_list(no_names()) }}) then named.family_name end as family_name,
    nullif(trim(
        coalesce(case when named.given_name not in ({{ quoted_list(no_names()) }}) then named.given_name end, '') || ' '
        || coalesce(case when named.family_name not in ({{ quoted_list(no_names()) }}) then named.family_name end, '')
    ), '') as full_name,
    case
        when named.birth_date not in (date '1900-01-01', date '1901-01-01', date '1970-01-01', date '1111-11-11')
            and named.birth_date <= coalesce(named.created_at, data_end.ended_at)
            and extract(year from data_end.ended_at) - extract(year from named.birth_date) <= 115
            then named.birth_date
    end as birth_date,
    {{ plain_gender('named.gender') }} as gender,
    {{ plain_street('named.street') }} as street,
    {{ house_number('named.street') }} as house_number,
    {{ plain_words('named.city') }} as city,
    {{ keep_only('upper(named.postal_code)', '0-9A-Z') }} as postal_code,
    named.country_code,
    {{ plain_number('named.loyalty_id') }} as loyalty_id,
    {{ plain_number('other_ids.other_id') }} as other_id
from named
cross join data_end
left join {{ source('identity', 'phone_numbers') }} as phones
    on named.phone = phones.phone
    and coalesce(named.country_code, '') = phones.country_code
left join other_ids
    on named.source_system = other_ids.source_system
    and named.source_record_id = other_ids.source_record_id
