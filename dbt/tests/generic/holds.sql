{# Fails on every row for which the expression is false; NULL passes, for what is unknown breaks no rule. #}
{% test holds(model, expression) %}
select * from {{ model }} where not ({{ expression }})
{% endtest %}
