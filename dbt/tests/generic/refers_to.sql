{# Fails on every row whose columns name no row of the other table; `to_columns` when they differ in name. #}
{% test refers_to(model, columns, to, to_columns=none) %}
{%- set targets = to_columns or columns %}
with referring as (
    select {{ columns | join(', ') }} from {{ model }}
)
select * from referring
where not exists (
    select 1 from {{ to }} as referred
    where {% for column in columns -%}
        referring.{{ column }} = referred.{{ targets[loop.index0] }}{{ ' and ' if not loop.last }}
    {%- endfor %}
)
{% endtest %}
