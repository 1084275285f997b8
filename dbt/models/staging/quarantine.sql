{{ config(materialized="table") }}

-- The n-th of equal rows that broke one rule is the n-th of last time: where a row stands in its file says
-- nothing, since every delivery numbers its rows anew.
{%- set identifying = ['source_table', 'shape', 'failed_rule', 'raw_row', 'occurrence'] %}
{%- set previous = previous_build(identifying + ['first_seen_run_id', 'first_seen_at']) %}
with refused as (
    {% for shape in shape_names() %}
    {{ quarantined_rows(shape, ref(shape ~ '_checked')) }}
    union all
    {% endfor %}
    select
        table_name as source_table,
        table_name as shape,
        cast(null as {{ dbt.type_string() }}) as source_system,
        line_number as source_row_number,
        cast(null as {{ dbt.type_string() }}) as row_key,
        'unreadable_line' as failed_rule,
        reason,
        {{ json_of(['raw_line'], ['raw_line']) }} as raw_row
    from {{ source('raw', 'rejected_lines') }}
),
counted as (
    select
        refused.*,
        row_number() over (
            partition by source_table, shape, failed_rule, raw_row order by source_row_number, row_key, reason
        ) as occurrence
    from refused
)
select
    counted.*,
    {% if previous -%}
    coalesce(previous.first_seen_run_id, {{ build_run_id() }}) as first_seen_run_id,
    coalesce(previous.first_seen_at, {{ build_started_at() }}) as first_seen_at
    {%- else -%}
    {{ build_run_id() }} as first_seen_run_id,
    {{ build_started_at() }} as first_seen_at
    {%- endif %}
from counted
{%- if previous %}
left join {{ previous }} as previous
    on {% for column in identifying -%}
    counted.{{ column }} = previous.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor %}
{%- endif %}
