-- A date that no gate has passed is never shown as predicted; its observed values are.
with promoted as (
    select max(as_of_date) as as_of_date from {{ source('models', 'promoted_dates') }} where is_promoted
),
observed as (
    select max(as_of_date) as as_of_date from {{ ref('fct_customer_features') }}
)
select
    coalesce(promoted.as_of_date, observed.as_of_date) as as_of_date,
    promoted.as_of_date is not null as is_promoted
from promoted
cross join observed
