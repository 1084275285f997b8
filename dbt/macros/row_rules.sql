{# The rules a row can break by itself, in the order in which the first one broken is reported. #}
{% macro row_rules(shape, currency_day=none, order_rates=none) -%}
    {%- set columns = shape_columns(shape) -%}
    {%- set unreadable = {
        'timestamp': 'bad_timestamp', 'date': 'bad_timestamp', 'boolean': 'bad_boolean', 'granting': 'bad_boolean', 'money': 'bad_number',
        'rate': 'bad_number', 'number': 'bad_number', 'double': 'bad_number', 'integer': 'bad_number',
    } -%}
    {%- set rules = [] -%}
    {%- for c in columns if c.role == 'key' -%}
        {%- do rules.append({'when': clean_text('received_' ~ c.name) ~ ' is null', 'rule': 'missing_key',
            'reason': "'" ~ c.name ~ " is empty'"}) -%}
    {%- endfor -%}
    {%- for c in columns if c.role == 'required' and c.type in ['text', 'code'] -%}
        {%- do rules.append({'when': c.name ~ ' is null', 'rule': 'missing_value', 'reason': "'" ~ c.name ~ " is empty'"}) -%}
    {%- endfor -%}
    {%- for c in columns if c.role != 'optional' and c.type in unreadable -%}
        {%- do rules.append({'rule': unreadable[c.type],
            'when': c.name ~ ' is null' ~ (' and ' ~ clean_text('received_' ~ c.name) ~ ' is not null' if c.role == 'strict' else ''),
            'reason': "coalesce('" ~ c.name ~ " cannot be read as " ~ c.type ~ ": ' || received_" ~ c.name ~ ", '" ~ c.name ~ " is empty')"}) -%}
    {%- endfor -%}
    {%- for c in columns if c.role != 'optional' and c.type in ['money', 'rate'] -%}
        {%- do rules.append({'when': c.name ~ (' < 0' if c.type == 'money' else ' <= 0'), 'rule': 'negative_amount',
            'reason': "'" ~ c.name ~ " is below what it can be: ' || received_" ~ c.name}) -%}
    {%- endfor -%}
    {%- set any_of = shape_any_of(shape) -%}
    {%- if any_of -%}
        {%- do rules.append({'when': 'coalesce(' ~ (any_of | join(', ')) ~ (", null)" if any_of | length == 1 else ")") ~ ' is null',
            'rule': 'missing_customer', 'reason': "'none of " ~ (any_of | join(', ')) ~ " is filled'"}) -%}
    {%- endif -%}
    {%- if currency_day -%}
        {%- do rules.append({'when': "typed.currency_code <> '" ~ var('reporting_currency') ~ "' and rates.currency_code is null",
            'rule': 'unknown_currency',
            'reason': "'exchange_rates has no rate on or before that day for ' || typed.currency_code"}) -%}
        {%- set rate = "case when typed.currency_code <> '" ~ var('reporting_currency') ~ "' then rates.rate_to_reporting end" -%}
        {%- set currency = 'typed.currency_code' -%}
        {%- if order_rates -%}
            {%- set currency = 'coalesce(typed.currency_code, order_currency_code)' -%}
            {%- set rate = 'case when ' ~ currency ~ ' = order_currency_code then order_rate else '
                ~ rate ~ ' end' -%}
        {%- endif -%}
        {#- Beyond the reporting currency's decimals an accepted order would be NULL in the ledger, and nobody told. -#}
        {%- for c in columns if c.role != 'optional' and c.type == 'money' -%}
            {%- do rules.append({'rule': 'amount_too_large',
                'when': 'cast(typed.' ~ c.name ~ ' as double) * cast(' ~ rate ~ ' as double) >= ' ~ largest('money'),
                'reason': "'" ~ c.name ~ " is more than " ~ largest('money') ~ " in " ~ var('reporting_currency')
                    ~ ": ' || received_" ~ c.name ~ " || ' ' || " ~ currency}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if shape == 'consents' -%}
        {%- do rules.append({'when': 'purpose is null', 'rule': 'unknown_purpose',
            'reason': "'purpose is none of " ~ (consent_words('purpose') | join(', ')) ~ ": ' || coalesce(received_purpose, 'empty')"}) -%}
    {%- endif -%}
    {%- if shape == 'identity_overrides' -%}
        {%- do rules.append({'when': "lower(coalesce(typed.decision, '')) not in ('always', 'never')",
            'rule': 'unknown_decision', 'reason': "'decision is neither always nor never: ' || coalesce(typed.decision, 'empty')"}) -%}
    {%- endif -%}
    {{ return(rules) }}
{%- endmacro %}
