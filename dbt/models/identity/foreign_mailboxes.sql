{{ config(materialized='view') }}

-- julia rubio who gives enrique.rubio12@: orders from that mailbox are as likely Enrique's.
with given_names as (
    select distinct split_part(given_name, ' ', 1) as given_name
    from {{ ref('normalised_records') }}
    where given_name is not null
),
spelt as (
    select
        records.source_system,
        records.source_record_id,
        mailboxes.email,
        split_part(records.given_name, ' ', 1) as given_name,
        split_part(records.family_name, ' ', 1) as family_name,
        {{ keep_only(without_accents("split_part(mailboxes.email, '@', 1)"), 'a-z') }} as letters
    from {{ ref('normalised_records') }} as records
    inner join (
        select source_system, source_record_id, identifier_value as email
        from {{ ref('stated_identifiers') }}
        where identifier_type = 'email'
    ) as mailboxes
        on records.source_system = mailboxes.source_system
        and records.source_record_id = mailboxes.source_record_id
    where records.given_name is not null
        and records.family_name is not null
),
owned as (
    select
        spelt.*,
        case
            when letters like '%' || family_name then substr(letters, 1, length(letters) - length(family_name))
            when letters like family_name || '%' then substr(letters, length(family_name) + 1)
        end as owner_name
    from spelt
)
select owned.source_system, owned.source_record_id, owned.email
from owned
inner join given_names on owned.owner_name = given_names.given_name
-- Spellings and short forms of one name mostly begin alike.
where substr(owned.owner_name, 1, 3) <> substr(owned.given_name, 1, 3)
