{# Fails on every micro-segment to which the rows of cause refit do not bring exactly its customers, in any period.
   `sizes` holds microsegment_key, as_of_date and customers_count, as counted when the date was built; an
   erasure takes the erased out of both. #}
{% test moves_end_in_sizes(model, sizes) %}
with ended as (
    select as_of_date, period, to_key, sum(customers_count) as customers_count
    from {{ model }}
    where cause = 'refit' and level = 'microsegment'
    group by as_of_date, period, to_key
),
periods as (
    select distinct as_of_date, period from {{ model }}
)
select
    periods.as_of_date,
    periods.period,
    sizes.microsegment_key,
    sizes.customers_count as standing_count,
    ended.customers_count as moved_count
from periods
inner join {{ sizes }} as sizes
    on periods.as_of_date = sizes.as_of_date
left join ended
    on periods.as_of_date = ended.as_of_date
    and periods.period = ended.period
    and sizes.microsegment_key = ended.to_key
where sizes.customers_count <> coalesce(ended.customers_count, 0)
{% endtest %}
