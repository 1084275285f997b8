{# The column that dates a row of a shape, for freshness and drift; shapes without one are not listed. #}
{% macro event_columns() -%}
    {{ return({
        'customer_records': 'coalesce(updated_at, created_at)', 'orders': 'ordered_at', 'refunds': 'refunded_at',
        'web_events': 'occurred_at', 'message_events': 'occurred_at', 'visits': 'visited_at',
        'action_exposures': 'assigned_at', 'consents': 'changed_at', 'exchange_rates': 'rate_date',
        'contracts': 'started_on',
    }) }}
{%- endmacro %}

{% macro event_day(shape) -%}
    {%- set column = event_columns()[shape] -%}
    {{ column if shape in ['exchange_rates', 'contracts'] else business_date(column) }}
{%- endmacro %}
