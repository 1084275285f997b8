{#- Rows of a result table at the latest promoted date, as `slices`: what a view for BI shows. #}
{% macro current_slice(table) -%}
from {{ source('predictions', table) }} as slices
inner join {{ ref('current_as_of_date') }} as latest
    on slices.as_of_date = latest.as_of_date
    and latest.is_promoted
{%- endmacro %}
