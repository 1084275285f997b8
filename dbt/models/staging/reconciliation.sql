{{ config(materialized="table") }}

-- Rows in are counted from raw, never from the models that sort the rows, or a row lost there would go unseen.
with received as (
    {% for shape in shape_names() %}
    select '{{ shape }}' as source_table, '{{ shape }}' as shape, count(*) as rows_in
    from {{ source('raw', shape) }}
    union all
    {% endfor %}
    {% for mapping in [
        ref('complete_journey_rows_in'), ref('shopify_rows_in'), ref('klaviyo_rows_in'),
        ref('uci_online_retail_rows_in'), ref('adventureworks_rows_in'),
    ] %}
    select source_table, shape, rows_in from {{ mapping }}
    union all
    {% endfor %}
    select table_name, table_name, count(*) from {{ source('raw', 'rejected_lines') }} group by table_name
),
accepted as (
    {% for shape in shape_names() %}
    select source_table, '{{ shape }}' as shape, count(*) as rows_accepted from {{ ref(shape) }} group by source_table
    {{ 'union all' if not loop.last }}
    {% endfor %}
),
quarantined as (
    select
        source_table,
        shape,
        count(*) as rows_quarantined,
        sum(case when failed_rule in ('duplicate', 'superseded') then 1 else 0 end) as rows_repeated
    from {{ ref('quarantine') }}
    group by source_table, shape
),
-- Lines that a mapped table lost before its mapping are a share of the table, not of themselves.
landed as (
    select table_name, rows_landed from {{ source('raw', 'landed_tables') }}
    where table_name not in ({{ quoted_list(shape_names()) }})
),
rows_in as (
    select source_table, shape, cast(sum(rows_in) as bigint) as rows_in from received group by source_table, shape
)
select
    coalesce(rows_in.source_table, accepted.source_table, quarantined.source_table) as source_table,
    coalesce(rows_in.shape, accepted.shape, quarantined.shape) as shape,
    coalesce(rows_in.rows_in, 0) as rows_in,
    cast(coalesce(rows_in.rows_in, 0) + coalesce(landed.rows_landed, 0) as bigint) as rows_compared,
    coalesce(accepted.rows_accepted, 0) as rows_accepted,
    coalesce(quarantined.rows_quarantined, 0) as rows_quarantined,
    cast(coalesce(quarantined.rows_repeated, 0) as bigint) as rows_repeated
from rows_in
full outer join accepted on rows_in.source_table = accepted.source_table and rows_in.shape = accepted.shape
full outer join quarantined
    on coalesce(rows_in.source_table, accepted.source_table) = quarantined.source_table
    and coalesce(rows_in.shape, accepted.shape) = quarantined.shape
left join landed on rows_in.source_table = landed.table_name and rows_in.shape = landed.table_name
