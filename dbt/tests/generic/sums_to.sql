{# Fails when two totals differ by as much as a cent. #}
{% test sums_to(model, column_name, to, to_column, to_where='true') %}
select totals.*
from (
    select
        (select coalesce(sum({{ column_name }}), 0) from {{ model }}) as total,
        (select coalesce(sum({{ to_column }}), 0) from {{ to }} where {{ to_where }}) as expected_total
) as totals
where total <> expected_total
{% endtest %}
