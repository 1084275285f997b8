{# The row of each key that landed last, as the one accepted of rows with one key. What adds rows up reads
   these: an order line delivered twice would count twice in the order's money. #}
{% macro latest_rows(relation, keys) -%}
    (
        select *
        from (
            select landed.*, row_number() over (partition by {{ keys | join(', ') }} order by _row_number desc) as recency
            from {{ relation }} as landed
        ) as numbered
        where recency = 1
    )
{%- endmacro %}

{# Price times quantity of a raw order line, after the discounts of the line itself; NULL when too large. #}
{% macro shopify_line_amount(prefix='') -%}
    {{ plausible(try_cast(
        cast_text(prefix ~ 'price', 'money') ~ ' * cast(' ~ cast_text(prefix ~ 'quantity', 'number') ~ ' as decimal(18, 3)) - coalesce('
        ~ cast_text(prefix ~ 'total_discount', 'money') ~ ', 0)', 'decimal(18, 4)'), 'money') }}
{%- endmacro %}
