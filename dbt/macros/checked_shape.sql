{# One row per row received: typed columns, the first rule broken and why (NULL when accepted), and the
   row as JSON when a rule was broken. Of rows with one key the shape's own table wins, then the content that
   landed last: other contents are `superseded`, repetitions of the same content `duplicate`.
   `relations`: mapping views of the shape; those in `refusing` also say which rows they refuse and why.
   `currency_day`: timestamp column whose day needs a rate. `order_rates`: currency and rate of the order that a row
   names, which go before its own. `countries`: what names and codes of countries mean. #}
{% macro checked_shape(shape, relations, currency_day=none, rates=none, refusing=[], order_rates=none,
    countries=none) -%}
{%- set columns = shape_columns(shape) -%}
{%- set names = columns | map(attribute='name') | list -%}
{%- set received_names = [] -%}
{%- for name in names -%} {%- do received_names.append('received_' ~ name) -%} {%- endfor -%}
{%- set keys = shape_keys(shape) -%}
{%- set rules = row_rules(shape, currency_day, order_rates) -%}
with received as (
    {%- for relation in relations + refusing %}
    select
        source_table,
        source_row_number,
        {{ names | join(', ') }}
        {%- if refusing %},
        {{ 'refused_rule' if relation in refusing else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as refused_rule,
        {{ 'refused_reason' if relation in refusing else 'cast(null as ' ~ dbt.type_string() ~ ')' }} as refused_reason
        {%- endif %}
    from {{ relation }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),
typed as (
    select
        source_table,
        source_row_number
        {{- ', refused_rule, refused_reason' if refusing }}
        {%- for column in columns %},
        received.{{ column.name }} as received_{{ column.name }},
        {{ 'countries.country_code' if column.type == 'country' else cast_text('received.' ~ column.name, column.type) }}
            as {{ column.name }}
        {%- endfor %}
    from received
    {%- for column in columns if column.type == 'country' %}
    left join {{ countries }} as countries on {{ country_key('received.' ~ column.name) }} = countries.country_name
    {%- endfor %}
),
tested as (
    select
        typed.*,
        case
            {%- if refusing %}
            when refused_rule is not null then refused_rule
            {%- endif %}
            {%- for rule in rules %}
            when {{ rule.when }} then '{{ rule.rule }}'
            {%- endfor %}
        end as broken_rule,
        case
            {%- if refusing %}
            when refused_rule is not null then coalesce(refused_reason, refused_rule)
            {%- endif %}
            {%- for rule in rules %}
            when {{ rule.when }} then {{ rule.reason }}
            {%- endfor %}
        end as broken_reason,
        {{ row_hash(keys) }} as key_hash
    from typed
    {%- if currency_day %}
    left join {{ rates }} as rates
        on typed.currency_code = rates.currency_code
        and {{ business_date('typed.' ~ currency_day) }} >= rates.valid_from
        and {{ business_date('typed.' ~ currency_day) }} < rates.valid_until
    {%- endif %}
    {%- if order_rates %}
    left join (
        select source_system as rated_source_system, order_id as rated_order_id, currency_code as order_currency_code,
            rate_to_reporting as order_rate
        from {{ order_rates }}
    ) as order_rates
        on typed.source_system = order_rates.rated_source_system
        and typed.order_id = order_rates.rated_order_id
    {%- endif %}
),
{{ repeated_rows(shape, received_names) }},
judged as (
    select
        tested.*,
        coalesce(broken_rule, case
            when repetition > 1 then 'duplicate'
            when not is_latest_content then 'superseded'
        end) as failed_rule,
        coalesce(broken_reason, case
            when repetition > 1 then 'another row has the same key and the same values'
            when not is_latest_content and latest_table = tested.source_table
                then 'a row landed later has the same key and other values'
            when not is_latest_content then 'a row of ' || latest_table || ' has the same key and other values'
        end) as reason
    from tested
    left join repetitions
        on tested.source_table = repetitions.source_table
        and tested.source_row_number = repetitions.source_row_number
        -- One row of a mapped table may give several of a shape, such as a consent for each purpose.
        and tested.key_hash = repetitions.key_hash
)
select
    source_table,
    source_row_number,
    {{ names | join(',\n    ') }},
    failed_rule,
    reason,
    case when failed_rule is not null then {{ json_of(names, received_names) }} end as raw_row
from judged
{%- endmacro %}
