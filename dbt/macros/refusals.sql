{# Rules of a mapping: what a source delivers and the shape cannot take is set aside with a reason of
   its own. A mapping that refuses rows has these two columns more than its shape and is handed to
   checked_shape as one of `refusing`. #}
{% macro refusal(rule, reason) -%}
    cast({{ rule }} as {{ dbt.type_string() }}) as refused_rule,
    cast({{ reason }} as {{ dbt.type_string() }}) as refused_reason
{%- endmacro %}

{# Rows in, counted from raw alone, of one raw table for one shape, where a row of the table
   is a row of the shape. #}
{% macro rows_in_from_raw(table, shape, condition='true', source_name='raw') -%}
    select '{{ table }}' as source_table, '{{ shape }}' as shape, count(*) as rows_in
    from {{ source(source_name, table) }}
    where {{ condition }}
{%- endmacro %}

{# The same where a row of the shape is added up from all rows of the table that share an expression. #}
{% macro rows_in_by(table, shape, expression, condition='true') -%}
    select '{{ table }}' as source_table, '{{ shape }}' as shape, count(*) as rows_in
    from (select distinct {{ expression }} as part from {{ source('raw', table) }} where {{ condition }}) as parts
{%- endmacro %}
