{# Fails on every date on which the rows of a base do not stand in exactly one part each, or the sizes of the parts do
   not add up to the base. #}
{% test partitions(model, members, sizes, base) %}
with counted as (
    select as_of_date, count(*) as members_count, count(distinct customer_id) as customers_count
    from {{ members }}
    group by as_of_date
),

sized as (
    select as_of_date, sum(customers_count) as parts_count
    from {{ sizes }}
    group by as_of_date
),

whole as (
    select as_of_date, count(*) as base_count
    from {{ base }}
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
