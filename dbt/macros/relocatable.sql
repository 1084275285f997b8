{# Relations are named schema.table, without the database: DuckDB takes a database's name from its file,
   and a view that spells it out breaks in the published copy, which has another name. #}
{% macro ref() -%}
    {{ return(builtins.ref(*varargs, **kwargs).include(database=false)) }}
{%- endmacro %}

{% macro source() -%}
    {{ return(builtins.source(*varargs).include(database=false)) }}
{%- endmacro %}
