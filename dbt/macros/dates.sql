{# The day of a UTC instant where the business is. #}
{% macro business_date(timestamp) -%} {{ adapter.dispatch('business_date')(timestamp) }} {%- endmacro %}
{% macro duckdb__business_date(timestamp) -%}
    cast(timezone('{{ var("business_time_zone") }}', timezone('UTC', {{ timestamp }})) as date)
{%- endmacro %}
{% macro default__business_date(timestamp) -%}
    to_date(from_utc_timestamp({{ timestamp }}, '{{ var("business_time_zone") }}'))
{%- endmacro %}

{# Whole days between two dates, 64 bits wide on every engine. #}
{% macro days_between(first, second) -%}
    cast({{ dbt.datediff(first, second, 'day') }} as bigint)
{%- endmacro %}

{% macro days_before(date, days) -%}
    cast({{ dbt.dateadd('day', -days, date) }} as date)
{%- endmacro %}

{# The last day whose events may be seen. From the environment, since a changed var would cost a full
   parse of the project on every slice; a var of the same name wins where someone sets it. #}
{% macro as_of_date() -%}
    {%- set value = given_as_of_date() -%}
    {%- set is_date = modules.re.match('^\d{4}-\d{2}-\d{2}$', value) -%}
    {%- if execute and not is_date -%}
        {{ exceptions.raise_compiler_error(
            "marts.fct_customer_features holds one slice per as-of date, and none was named (got '"
            ~ value ~ "'). Set it as YYYY-MM-DD: CLIENTELA_AS_OF_DATE=2017-12-31 dbt build "
            ~ "--select fct_customer_features"
        ) }}
    {%- endif -%}
    cast({{ "'" ~ value ~ "'" if is_date else 'null' }} as date)
{%- endmacro %}

{# '' while the project is parsed: dbt would otherwise note the variable and parse again when it changes. #}
{% macro given_as_of_date() -%}
    {{- return(((var('as_of_date', none) or env_var('CLIENTELA_AS_OF_DATE', '')) if execute else '') | string) -}}
{%- endmacro %}

{# Hour 0-23 of a UTC instant where the business is; NULL at midnight sharp, which is a day without a time. #}
{% macro business_hour(timestamp) -%} {{ adapter.dispatch('business_hour')(timestamp) }} {%- endmacro %}
{% macro duckdb__business_hour(timestamp) -%}
    {%- set local = "timezone('" ~ var("business_time_zone") ~ "', timezone('UTC', " ~ timestamp ~ "))" -%}
    case when {{ local }} <> date_trunc('day', {{ local }}) then cast(extract(hour from {{ local }}) as integer) end
{%- endmacro %}
{% macro default__business_hour(timestamp) -%}
    {%- set local = "from_utc_timestamp(" ~ timestamp ~ ", '" ~ var("business_time_zone") ~ "')" -%}
    case when {{ local }} <> date_trunc('day', {{ local }}) then cast(extract(hour from {{ local }}) as integer) end
{%- endmacro %}

{# Monday is 1 and Sunday 7. #}
{% macro weekday_number(date) -%} {{ adapter.dispatch('weekday_number')(date) }} {%- endmacro %}
{% macro duckdb__weekday_number(date) -%} cast(isodow({{ date }}) as integer) {%- endmacro %}
{% macro default__weekday_number(date) -%} (weekday({{ date }}) + 1) {%- endmacro %}

{% macro minutes_between(first, second) -%}
    ({{ dbt.datediff(first, second, 'second') }} / 60.0)
{%- endmacro %}
