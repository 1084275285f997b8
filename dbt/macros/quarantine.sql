{% macro shape_names() -%}
    {{ return([
        'customer_records', 'identifiers', 'orders', 'order_items', 'refunds', 'products', 'web_events',
        'message_events', 'visits', 'regions', 'actions', 'action_exposures', 'consents', 'erasure_requests',
        'exchange_rates', 'contracts', 'identity_overrides',
    ]) }}
{%- endmacro %}

{# The rows of one checked table that broke a rule, in the columns of staging.quarantine. #}
{% macro quarantined_rows(shape, checked) -%}
    {%- set names = shape_columns(shape) | map(attribute='name') | list -%}
    select
        source_table,
        '{{ shape }}' as shape,
        {{ 'source_system' if 'source_system' in names else "cast(null as " ~ dbt.type_string() ~ ")" }} as source_system,
        source_row_number,
        {% for key in shape_keys(shape) -%}
            coalesce(cast({{ key }} as {{ dbt.type_string() }}), ''){{ " || '|' || " if not loop.last }}
        {%- endfor %} as row_key,
        failed_rule,
        reason,
        raw_row
    from {{ checked }}
    where failed_rule is not null
{%- endmacro %}
