{# Fails on every key that is NULL in part or stands in more than one row. #}
{% test grain(model, columns) %}
select {{ columns | join(', ') }}, count(*) as rows_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 {% for column in columns %} or max(case when {{ column }} is null then 1 else 0 end) = 1 {% endfor %}
{% endtest %}
