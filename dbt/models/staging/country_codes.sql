{{ config(materialized='table') }}

{% for code, names in country_names().items() %}{% set last_code = loop.last %}{% for name in names %}
select '{{ name | replace("'", "''") }}' as country_name, '{{ code }}' as country_code
{{ 'union all' if not (last_code and loop.last) }}
{%- endfor %}{% endfor %}
