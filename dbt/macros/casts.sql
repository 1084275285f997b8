{# Text to type, never failing: what cannot be read becomes NULL, and the checked models say so. #}

{% macro clean_text(value) -%} nullif(trim({{ value }}), '') {%- endmacro %}

{% macro try_cast(value, type) -%} {{ adapter.dispatch('try_cast')(value, type) }} {%- endmacro %}
{% macro default__try_cast(value, type) -%} try_cast({{ value }} as {{ type }}) {%- endmacro %}

{# Instants are UTC. A text without a time names a day of the business, not midnight UTC, which in
   New York is still the day before. #}
{% macro to_utc_timestamp(value) -%} {{ adapter.dispatch('to_utc_timestamp')(value) }} {%- endmacro %}
{% macro duckdb__to_utc_timestamp(value) -%}
    case
        when length(trim({{ value }})) <= 10
            then timezone('UTC', timezone('{{ var("business_time_zone") }}', try_cast(trim({{ value }}) as timestamp)))
        {#- A cast to timestamp drops an offset such as +02:00 without a word; timestamptz applies it. #}
        else timezone('UTC', try_cast(trim({{ value }}) as timestamptz))
    end
{%- endmacro %}
{% macro default__to_utc_timestamp(value) -%}
    case
        when length(trim({{ value }})) <= 10
            then to_utc_timestamp(try_cast(trim({{ value }}) as timestamp), '{{ var("business_time_zone") }}')
        else try_cast(trim({{ value }}) as timestamp)
    end
{%- endmacro %}

{# NULL outside the years 1900-2199 and beyond 10^12 of money, 10^9 of other numbers and a rate of 10^6: typing
   errors, on which time zones and decimals overflow. #}
{% macro plausible(value, logical_type) -%}
    {%- if logical_type in ['timestamp', 'date'] -%}
    case when {{ value }} >= date '1900-01-01' and {{ value }} < date '2200-01-01' then {{ value }} end
    {%- else -%}
    case when abs({{ value }}) < {{ largest(logical_type) }} then {{ value }} end
    {%- endif -%}
{%- endmacro %}

{% macro largest(logical_type) -%}
    {{ return({'money': 1000000000000, 'number': 1000000000, 'rate': 1000000}[logical_type]) }}
{%- endmacro %}

{# 12,50 and 1.234,50 -> point; 1,234.50 -> no separators. Only what can mean one number alone: 1,234 could be
   1234 or 1.234 and stays unreadable, 1.234 is a decimal. #}
{% macro number_text(text) -%}
    case
        when {{ text }} not like '%,%' then {{ text }}
        when {{ matches(text, "^[+-]?[0-9]+,[0-9]{1,2}$") }} then replace({{ text }}, ',', '.')
        when {{ matches(text, "^[+-]?[0-9]{1,3}([.][0-9]{3})+,[0-9]{1,2}$") }}
            then replace(replace({{ text }}, '.', ''), ',', '.')
        when {{ matches(text, "^[+-]?[0-9]{1,3}(,[0-9]{3})+[.][0-9]{1,2}$") }} then replace({{ text }}, ',', '')
    end
{%- endmacro %}

{% macro matches(value, pattern) -%} {{ adapter.dispatch('matches')(value, pattern) }} {%- endmacro %}
{% macro duckdb__matches(value, pattern) -%} regexp_matches({{ value }}, '{{ pattern }}') {%- endmacro %}
{% macro default__matches(value, pattern) -%} {{ value }} rlike '{{ pattern }}' {%- endmacro %}

{# 5/14/1965 or 05/14/1965, month first, as 1965-05-14; any other text as it is. #}
{% macro month_day_year(value) -%}
    case
        when {{ matches('trim(' ~ value ~ ')', '^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}$') }} then
            split_part(trim({{ value }}), '/', 3) || '-' || lpad(split_part(trim({{ value }}), '/', 1), 2, '0')
            || '-' || lpad(split_part(trim({{ value }}), '/', 2), 2, '0')
        else {{ value }}
    end
{%- endmacro %}

{% macro money_type() -%} decimal(18, 2) {%- endmacro %}

{# The type of a column in the source contract -> its type in the warehouse. #}
{% macro warehouse_type(logical_type) -%}
    {{ return({
        'text': dbt.type_string(), 'code': dbt.type_string(), 'country': dbt.type_string(), 'timestamp': 'timestamp', 'date': 'date',
        'money': 'decimal(18, 4)', 'rate': 'decimal(18, 8)', 'number': 'decimal(18, 6)',
        'purpose': dbt.type_string(), 'granting': 'boolean', 'integer': 'bigint', 'boolean': 'boolean', 'double': 'double',
    }[logical_type]) }}
{%- endmacro %}

{% macro cast_text(value, logical_type) -%}
    {%- set text = clean_text(value) -%}
    {%- if logical_type == 'text' -%} {{ text }}
    {%- elif logical_type == 'code' -%} upper({{ text }})
    {%- elif logical_type == 'purpose' -%} {{ consent_word(value, 'purpose') }}
    {%- elif logical_type == 'granting' -%} cast({{ consent_word(value, 'granting') }} as boolean)
    {%- elif logical_type == 'timestamp' -%} {{ plausible(to_utc_timestamp(value), 'timestamp') }}
    {%- elif logical_type == 'date' -%} cast({{ plausible(try_cast(text, 'timestamp'), 'date') }} as date)
    {%- elif logical_type == 'double' -%} cast({{ try_cast(number_text(text), warehouse_type('number')) }} as double)
    {%- elif logical_type in ['money', 'rate', 'number'] -%}
    {{ plausible(try_cast(number_text(text), warehouse_type(logical_type)), logical_type) }}
    {%- else -%} {{ try_cast(text, warehouse_type(logical_type)) }}
    {%- endif -%}
{%- endmacro %}
