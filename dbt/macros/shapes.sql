{# The source contract as SQL needs it, one line a column: name, type, role. The Python side is
   dagster_project/sources/shapes.yml, and a test compares the names.
   Roles: key (never empty, unique), required (never empty), strict (may be empty, but a value that
   cannot be read sends the row to quarantine). Without a role an unreadable value becomes NULL.
   Types: code is upper-case text; country is a name or code that country_codes knows; money is an amount that may not be negative; purpose and granting are words
   of a consent (consents.sql). #}
{% macro shape_columns(shape) -%}
    {%- set contract = {
        'customer_records': 'source_system text key, source_record_id text key, email text, phone text, loyalty_id text,
            device_id text, first_name text, last_name text, full_name text, birth_date date, gender text, street text,
            city text, postal_code text, country_code country, income_band text, household_size text,
            acquisition_channel text, acquisition_cost_amount money, is_test boolean, created_at timestamp,
            updated_at timestamp',
        'identifiers': 'source_system text key, source_record_id text key, identifier_type text key,
            identifier_value text key, first_seen_at timestamp, last_seen_at timestamp',
        'orders': 'source_system text key, order_id text key, source_record_id text, email text, phone text,
            loyalty_id text, device_id text, ordered_at timestamp required, gross_amount money required, status text,
            channel text, store_id text, currency_code code, discount_amount money strict, tax_amount money strict,
            shipping_amount money strict, coupon_code text, action_id text',
        'order_items': 'source_system text key, order_id text key, line_number text key, product_id text,
            quantity number strict, net_amount money strict, unit_cost_amount money strict',
        'refunds': 'source_system text key, refund_id text key, order_id text, source_record_id text,
            refunded_at timestamp required, refund_amount money required, currency_code code',
        'products': 'product_id text key, product_name text, category_1 text, category_2 text, category_3 text,
            brand text, unit_cost_amount money',
        'web_events': 'event_id text key, source_system text, device_id text, source_record_id text, email text,
            occurred_at timestamp required, event_type text, product_id text',
        'message_events': 'message_id text key, event_type text key, source_system text, source_record_id text,
            email text, action_id text, occurred_at timestamp required',
        'visits': 'visit_id text key, source_system text, device_id text, source_record_id text,
            visited_at timestamp required, latitude double, longitude double, place_id text',
        'regions': 'postal_code text key, region text, latitude double, longitude double, income_index double,
            urbanity text',
        'actions': 'action_id text key, action_name text, channel text, offer_type text, contact_cost_amount money,
            redemption_cost_amount money, starts_on date, ends_on date, measurement_days integer,
            is_randomised boolean',
        'action_exposures': 'action_id text key, source_system text key, source_record_id text key,
            assigned_at timestamp key, arm text, assignment_probability double, is_delivered boolean,
            is_redeemed boolean',
        'consents': 'source_system text key, source_record_id text key, purpose purpose key, changed_at timestamp key,
            is_granted granting required',
        'erasure_requests': 'request_id text key, identifier_type text required, identifier_value text required, requested_at timestamp',
        'exchange_rates': 'rate_date date key, currency_code code key, rate_to_reporting rate required',
        'contracts': 'contract_id text key, source_system text required, source_record_id text required, plan text, started_on date,
            ended_on date, period_amount money',
        'identity_overrides': 'left_source_system text key, left_source_record_id text key,
            right_source_system text key, right_source_record_id text key, decision text required, reviewed_by text,
            note text',
    } -%}
    {%- set columns = [] -%}
    {%- for line in contract[shape].split(',') -%}
        {%- set words = line.split() -%}
        {%- do columns.append({'name': words[0], 'type': words[1], 'role': words[2] if words | length > 2 else 'optional'}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{# Columns of which a row needs at least one, or it belongs to nobody. #}
{% macro shape_any_of(shape) -%}
    {{ return({
        'orders': ['source_record_id', 'email', 'phone', 'loyalty_id', 'device_id'],
        'refunds': ['order_id', 'source_record_id'],
        'web_events': ['device_id', 'source_record_id', 'email'],
        'message_events': ['source_record_id', 'email'],
        'visits': ['device_id', 'source_record_id'],
    }.get(shape, [])) }}
{%- endmacro %}

{% macro shape_keys(shape) -%}
    {{ return(shape_columns(shape) | selectattr('role', 'equalto', 'key') | map(attribute='name') | list) }}
{%- endmacro %}

{# The select list of a mapping: every column of the shape as text, from the expressions given, NULL
   where none is. `source_table` is the raw table; `row_number` places the row in it. #}
{% macro shape_row(shape, expressions, source_table, row_number='_row_number') -%}
    '{{ source_table }}' as source_table,
    cast({{ row_number }} as bigint) as source_row_number
    {%- for column in shape_columns(shape) %},
    cast({{ expressions.get(column.name, 'null') }} as {{ dbt.type_string() }}) as {{ column.name }}
    {%- endfor %}
{%- endmacro %}

{# The mapping of a raw table that has the shape's own column names. #}
{% macro shape_from_raw(shape, relation) -%}
    {%- set expressions = {} -%}
    {%- for column in shape_columns(shape) -%} {%- do expressions.update({column.name: column.name}) -%} {%- endfor -%}
    select
        {{ shape_row(shape, expressions, shape) }}
    from {{ relation }}
{%- endmacro %}

{# Accepted rows only; where each came from stays beside it. #}
{% macro accepted_rows(shape, checked) -%}
    select
        source_table,
        source_row_number
        {%- for column in shape_columns(shape) %},
        {{ column.name }}
        {%- endfor %}
    from {{ checked }}
    where failed_rule is null
{%- endmacro %}
