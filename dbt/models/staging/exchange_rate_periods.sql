-- A rate holds until the next one: shops open on days on which no rate is fixed.
select
    currency_code,
    rate_to_reporting,
    rate_date as valid_from,
    coalesce(
        lead(rate_date) over (partition by currency_code order by rate_date), cast('2200-01-01' as date)
    ) as valid_until
from {{ ref('exchange_rates') }}
