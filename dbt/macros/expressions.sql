{# Expressions that engines spell differently. #}

{# A 64-bit hash that only preselects candidates; equal hashes are always compared in full after. #}
{% macro row_hash(columns) -%} {{ adapter.dispatch('row_hash')(columns) }} {%- endmacro %}
{% macro duckdb__row_hash(columns) -%} hash({{ columns | join(', ') }}) {%- endmacro %}
{% macro default__row_hash(columns) -%} xxhash64({{ columns | join(', ') }}) {%- endmacro %}

{# One text for several text columns, in which NULL and '' differ. #}
{% macro row_content(columns) -%}
    {%- for column in columns -%}
        coalesce('=' || {{ column }}, '-'){{ " || '|' || " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{% macro json_of(names, values) -%} {{ adapter.dispatch('json_of')(names, values) }} {%- endmacro %}
{% macro duckdb__json_of(names, values) -%}
    cast(json_object({% for name in names %}'{{ name }}', {{ values[loop.index0] }}{{ ', ' if not loop.last }}{% endfor %}) as varchar)
{%- endmacro %}
{% macro default__json_of(names, values) -%}
    to_json(named_struct({% for name in names %}'{{ name }}', {{ values[loop.index0] }}{{ ', ' if not loop.last }}{% endfor %}))
{%- endmacro %}

{% macro keep_only(value, character_class) -%} {{ adapter.dispatch('keep_only')(value, character_class) }} {%- endmacro %}
{% macro duckdb__keep_only(value, character_class) -%}
    nullif(regexp_replace({{ value }}, '[^{{ character_class }}]', '', 'g'), '')
{%- endmacro %}
{% macro default__keep_only(value, character_class) -%}
    nullif(regexp_replace({{ value }}, '[^{{ character_class | replace("\\", "\\\\") }}]', ''), '')
{%- endmacro %}
{# A pattern inside a text literal: Spark reads a backslash there as an escape. #}
{% macro regex(pattern) -%} {{ return(adapter.dispatch('regex')(pattern)) }} {%- endmacro %}
{% macro duckdb__regex(pattern) -%} {{ return(pattern) }} {%- endmacro %}
{% macro default__regex(pattern) -%} {{ return(pattern | replace("\\", "\\\\")) }} {%- endmacro %}

{% macro replace_all(value, pattern, replacement) -%} {{ return(adapter.dispatch('replace_all')(value, pattern, replacement)) }} {%- endmacro %}
{% macro duckdb__replace_all(value, pattern, replacement) -%}
    {{ return("regexp_replace(" ~ value ~ ", '" ~ regex(pattern) ~ "', '" ~ replacement ~ "', 'g')") }}
{%- endmacro %}
{% macro default__replace_all(value, pattern, replacement) -%}
    {{ return("regexp_replace(" ~ value ~ ", '" ~ regex(pattern) ~ "', '" ~ replacement ~ "')") }}
{%- endmacro %}

{% macro without_accents(value) -%} {{ return(adapter.dispatch('without_accents')(value)) }} {%- endmacro %}
{% macro duckdb__without_accents(value) -%} {{ return("strip_accents(" ~ value ~ ")") }} {%- endmacro %}
{% macro default__without_accents(value) -%}
    {{ return("translate(" ~ value ~ ", 'áàâäãåéèêëíìîïóòôöõúùûüñçýÿšžčćřěůďťňąęśźżń', 'aaaaaaeeeeiiiiooooouuuuncyyszccreudtnaeszzn')") }}
{%- endmacro %}

{# DuckDB may evaluate ln before the filter that would have kept zero away from it, and then fails. #}
{% macro safe_ln(value) -%}
    ln(case when {{ value }} > 0 then cast({{ value }} as double) end)
{%- endmacro %}

{# Doubles added over threads gave 5-7 different sums in 8 runs; decimals add up the same in any order. #}
{% macro stable_sum(value) -%} cast(sum(cast({{ value }} as decimal(18, 9))) as double) {%- endmacro %}

{% macro share_of(part, whole) -%}
    case when {{ whole }} > 0 then cast({{ part }} as double) / cast({{ whole }} as double) end
{%- endmacro %}

{% macro median(value) -%} {{ adapter.dispatch('median')(value) }} {%- endmacro %}
{% macro duckdb__median(value) -%} median({{ value }}) {%- endmacro %}
{% macro default__median(value) -%} percentile({{ value }}, 0.5) {%- endmacro %}

{# The value of the highest rank among the rows that have one. #}
{% macro latest_known(value, rank) -%}
    max_by({{ value }}, {{ rank }}) filter (where {{ value }} is not null)
{%- endmacro %}

{# Widened first: DuckDB multiplies decimal(18,4) by decimal(18,8) into decimal(18,12) and overflows. What no
   decimal holds is unknown: a hard cast stopped the whole build without naming the row. #}
{% macro in_reporting_currency(amount, rate) -%}
    {{ try_cast('cast(' ~ try_cast(amount, 'decimal(18, 4)') ~ ' as decimal(26, 4)) * ' ~ rate, money_type()) }}
{%- endmacro %}

{% macro quoted_list(values) -%}
    {%- for value in values -%} '{{ value | string | lower }}'{{ ', ' if not loop.last }} {%- endfor -%}
{%- endmacro %}

{% macro at_least_zero(value) -%} case when {{ value }} > 0 then {{ value }} else 0 end {%- endmacro %}

{# A union of sums of decimal(18, 2) and (18, 4) is a decimal(38, 2) in DuckDB and drops the rest. #}
{% macro exact_sum(value) -%} cast(coalesce(sum({{ value }}), 0) as decimal(18, 4)) {%- endmacro %}

{# Great-circle distance, rounded to ten metres: more digits differ between mathematical libraries.
   DuckDB's least() passes over NULL: without the case an unknown place would lie at the antipodes. #}
{% macro distance_km(latitude_1, longitude_1, latitude_2, longitude_2) -%}
    case when {{ latitude_1 }} + {{ longitude_1 }} + {{ latitude_2 }} + {{ longitude_2 }} is not null then round(2 * 6371.0 * asin(least(1.0, sqrt(
        power(sin(radians(({{ latitude_2 }}) - ({{ latitude_1 }})) / 2), 2)
        + cos(radians({{ latitude_1 }})) * cos(radians({{ latitude_2 }}))
        * power(sin(radians(({{ longitude_2 }}) - ({{ longitude_1 }})) / 2), 2)
    ))), 2) end
{%- endmacro %}

{# Shannon's entropy in nats over the rows of a group, of which `share` is each one's part of the whole.
   Its terms have nine digits, so fewer of the sum are right. #}
{% macro entropy(share) -%} round(-{{ stable_sum('(' ~ share ~ ') * ' ~ safe_ln(share)) }}, 6) + 0.0 {%- endmacro %}

{# Sample standard deviation over the mean, from exact sums. Widened first: DuckDB squares a decimal(18, 2) in 64 bits,
   and one order of 31 million (2,000 dollars in rupiahs) stopped the build. #}
{% macro variation_of(amount) -%}
    {%- set wide = 'cast(' ~ amount ~ ' as decimal(19, 2))' %}
    case when count(*) > 1 and sum({{ amount }}) > 0 then
        sqrt(greatest(0.0, (
            cast(sum({{ wide }} * {{ wide }}) as double)
            - cast(sum({{ amount }}) as double) * cast(sum({{ amount }}) as double) / count(*)
        ) / (count(*) - 1))) * count(*) / cast(sum({{ amount }}) as double)
    end
{%- endmacro %}
