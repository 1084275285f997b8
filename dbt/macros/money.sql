{# Margin that is gone once `refunded` of an order went back: its share up to the order's revenue, since the
   goods come back with the money, and every cent beyond, since nothing more can come back. #}
{% macro refunded_margin(refunded, revenue, margin) -%}
    cast(
        case
            when {{ margin }} is null then null
            when {{ revenue }} <= 0 then {{ refunded }}
            when {{ refunded }} >= {{ revenue }} then {{ margin }} + {{ refunded }} - {{ revenue }}
            else cast(
                cast({{ margin }} as double) * cast({{ refunded }} as double) / cast({{ revenue }} as double)
                as {{ money_type() }}
            )
        end as {{ money_type() }}
    )
{%- endmacro %}

{# True for an e-mail address at one of the domains that config.yml calls internal. #}
{% macro is_internal_email(email) -%}
    {%- for domain in var('internal_email_domains') -%}
        lower(trim({{ email }})) like '%@{{ domain }}' or {% endfor -%}
    false
{%- endmacro %}
