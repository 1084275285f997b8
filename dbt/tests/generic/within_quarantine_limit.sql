{# Fails on every source table of which a larger share was set aside than config.yml allows; repetitions and
   corrections do not count, and below a hundred rows a share says nothing. #}
{% test within_quarantine_limit(model) %}
{%- set limits = var('max_quarantined_share') %}
{%- set limit = namespace(of_shape=limits['default']) %}
{%- for shape, share in limits.items() if shape != 'default' %}
    {%- set limit.of_shape = "case when shape = '" ~ shape ~ "' then " ~ share ~ " else " ~ limit.of_shape ~ " end" %}
{%- endfor %}
select *
from {{ model }}
where rows_compared >= 100 and rows_quarantined - rows_repeated > rows_compared * {{ limit.of_shape }}
{% endtest %}
