{# Price times quantity of a raw order line, after the discounts of the line itself; NULL when too large. #}
{% macro shopify_line_amount(prefix='') -%}
    {{ plausible(try_cast(
        cast_text(prefix ~ 'price', 'money') ~ ' * cast(' ~ cast_text(prefix ~ 'quantity', 'number') ~ ' as decimal(18, 3)) - coalesce('
        ~ cast_text(prefix ~ 'total_discount', 'money') ~ ', 0)', 'decimal(18, 4)'), 'money') }}
{%- endmacro %}
