{{ config(materialized="table") }}

with days as (
    {% for shape in event_columns() %}
    select source_table, '{{ shape }}' as shape, {{ event_day(shape) }} as event_date
    from {{ ref(shape) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)
select source_table, shape, event_date, count(*) as rows_count
from days
where event_date is not null
group by source_table, shape, event_date
