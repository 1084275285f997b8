{# Tests on sliced tables say `where: __this_slice__`: old slices were tested when they were written, and
   testing them all again would cost more with every night. #}
{% macro get_where_subquery(relation) -%}
    {%- set date = given_as_of_date() -%}
    {%- set slice = "as_of_date = cast('" ~ date ~ "' as date)" if date else 'true' -%}
    {%- set where = (config.get('where') or '') | replace('__this_slice__', slice) -%}
    {%- if where -%}
        {%- do return('(select * from ' ~ relation ~ ' where ' ~ where ~ ') dbt_subquery') -%}
    {%- else -%}
        {%- do return(relation) -%}
    {%- endif -%}
{%- endmacro %}
