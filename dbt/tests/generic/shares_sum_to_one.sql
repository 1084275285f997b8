{# Fails on every group whose shares do not sum to 1, or to what their counts say. #}
{% test shares_sum_to_one(model, column_name, columns, count_column, total_column) %}
select
    {{ columns | join(', ') }},
    sum({{ column_name }}) as shares_total,
    sum({{ count_column }}) as counts_total
from {{ model }}
group by {{ columns | join(', ') }}
having abs(sum({{ column_name }}) - 1) > 0.000001
    or sum({{ count_column }}) <> max({{ total_column }})
    or min({{ total_column }}) <> max({{ total_column }})
{% endtest %}
