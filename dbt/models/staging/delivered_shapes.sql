{{ config(materialized="table") }}

-- Whether a source exists at all is current knowledge, not a fact of the as-of date.
with delivered as (
    select table_name as shape from {{ source('raw', 'landed_tables') }} where is_delivered
    union
    select shape from {{ ref('reconciliation') }} where rows_accepted > 0
)
select
    shape,
    max(case when shape in (select shape from delivered) then 1 else 0 end) = 1 as is_delivered
from {{ ref('reconciliation') }}
where shape in ({{ quoted_list(shape_names()) }})
group by shape
