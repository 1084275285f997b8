{# Fails when, on the latest promoted date, the rows of a base do not stand in exactly one part each, or the sizes of
   the parts do not add up to the base. Dates before it were tested when they were the latest. #}
{% test partitions(model, members, sizes, base) %}
with latest as (
    select as_of_date from {{ ref('current_as_of_date') }} where is_promoted
),

counted as (
    select as_of_date, count(*) as members_count, count(distinct customer_id) as customers_count
    from {{ members }}
    where as_of_date in (select as_of_date from latest)
    group by as_of_date
),

sized as (
    select as_of_date, sum(customers_count) as parts_count
    from {{ sizes }}
    where as_of_date in (select as_of_date from latest)
    group by as_of_date
),

whole as (
    select as_of_date, count(*) as base_count
    from {{ base }}
    where as_of_date in (select as_of_date from latest)
    group by as_of_date
)

select counted.as_of_date, members_count, customers_count, parts_count, base_count
from counted
left join sized on counted.as_of_date = sized.as_of_date
left join whole on counted.as_of_date = whole.as_of_date
where members_count <> customers_count
    or members_count <> coalesce(parts_count, 0)
    or (base_count is not null and members_count <> base_count)
{% endtest %}
