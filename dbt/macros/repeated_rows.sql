{# What a company lays down under the shape's own name it has decided: it stands before the rows that a mapping
   makes of a known system, whatever the names of the tables. #}
{% macro own_table_first(shape) -%} case when source_table = '{{ shape }}' then 0 else 1 end {%- endmacro %}

{# Rows without a broken rule whose key comes more than once, as CTEs that end in `repetitions`: which
   repetition of its content a row is, whether its content is the one that counts, and whose table that is. #}
{% macro repeated_rows(shape, received_names) -%}
{%- set keys = shape_keys(shape) -%}
repeated_keys as (
    select key_hash from tested where broken_rule is null group by key_hash having count(*) > 1
),
contents as (
    select
        tested.source_table,
        tested.source_row_number,
        tested.key_hash,
        {{ keys | join(', ') }},
        {{ row_content(received_names) }} as content
    from tested
    inner join repeated_keys on tested.key_hash = repeated_keys.key_hash
    where tested.broken_rule is null
),
repetitions as (
    select
        source_table,
        source_row_number,
        key_hash,
        row_number() over (
            partition by {{ keys | join(', ') }}, content
            order by {{ own_table_first(shape) }}, source_table, source_row_number
        ) as repetition,
        content = first_value(content) over (
            partition by {{ keys | join(', ') }}
            order by {{ own_table_first(shape) }}, source_row_number desc, source_table
        ) as is_latest_content,
        first_value(source_table) over (
            partition by {{ keys | join(', ') }}
            order by {{ own_table_first(shape) }}, source_row_number desc, source_table
        ) as latest_table
    from contents
)
{%- endmacro %}
