{# predicted_revenue_mean at 90 days is predicted_revenue_90d_mean: the statistic stays the last word. #}
{% macro value_at_horizon(column, horizon) -%}
    {%- set words = column.split('_') -%}
    {%- if words[-1] in ['mean', 'p05', 'p25', 'p50', 'p75', 'p95', 'amount'] -%}
        {{ words[:-1] | join('_') }}_{{ horizon }}d_{{ words[-1] }}
    {%- else -%}
        {{ column.replace('_probability', '') ~ '_' ~ horizon ~ 'd' ~ ('_probability' if column.endswith('_probability') else '') }}
    {%- endif -%}
{%- endmacro %}
