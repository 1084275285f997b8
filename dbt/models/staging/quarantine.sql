{{ config(materialized="table") }}

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
