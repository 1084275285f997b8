{{ config(materialized="table") }}

-- Rows in are counted from raw, never from the models that sort the rows, or a row lost there would go unseen.
with received as (
    {% for shape in shape_names() %}
    select '{{ shape }}' as source_table, '{{ shape }}' as shape, count(*) as rows_in
    from {{ source('raw', shape) }}
    union all
    {% endfor %}
    {% for table, shape in [
        ('demographics', 'customer_records'), ('transactions', 'order_items'), ('products', 'products'),
        ('campaign_descriptions', 'actions'), ('campaigns', 'action_exposures'),
    ] %}
    select 'complete_journey_{{ table }}', '{{ shape }}', count(*)
    from {{ source('raw', 'complete_journey_' ~ table) }}
    union all
    {% endfor %}
    select 'complete_journey_transactions', 'orders', count(*)
    from (select distinct basket_id from {{ source('raw', 'complete_journey_transactions') }}) as baskets
    union all
    select 'complete_journey_transactions', 'customer_records', count(*)
    from (
        select household_id from {{ source('raw', 'complete_journey_transactions') }}
        except
        select household_id from {{ source('raw', 'complete_journey_demographics') }}
    ) as shoppers
    union all
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
rows_in as (
    select source_table, shape, cast(sum(rows_in) as bigint) as rows_in from received group by source_table, shape
)
select
    coalesce(rows_in.source_table, accepted.source_table, quarantined.source_table) as source_table,
    coalesce(rows_in.shape, accepted.shape, quarantined.shape) as shape,
    coalesce(rows_in.rows_in, 0) as rows_in,
    coalesce(accepted.rows_accepted, 0) as rows_accepted,
    coalesce(quarantined.rows_quarantined, 0) as rows_quarantined,
    cast(coalesce(quarantined.rows_repeated, 0) as bigint) as rows_repeated
from rows_in
full outer join accepted on rows_in.source_table = accepted.source_table and rows_in.shape = accepted.shape
full outer join quarantined
    on coalesce(rows_in.source_table, accepted.source_table) = quarantined.source_table
    and coalesce(rows_in.shape, accepted.shape) = quarantined.shape
