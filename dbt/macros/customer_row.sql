{#- One customer on one date: features, attributes, stage, micro-segment and value at every horizon side by
    side. `slices` names the relations that hold predictions: all dates for customer_360_by_date, over which
    declared segments are evaluated, or the promoted one for customer_360. Left joins from the features, so that
    prospects and unpromoted dates keep their observed values. The columns are those of
    dagster_project/declared_segments/columns.py. #}
{% macro customer_row(slices, latest=none) %}
{%- set predicted = [
    'predicted_revenue_mean', 'predicted_revenue_p05', 'predicted_revenue_p50', 'predicted_revenue_p95',
    'predicted_orders_mean', 'predicted_margin_mean', 'predicted_present_value_mean', 'purchase_probability',
    'interval_status',
] %}
{%- set possible = ['benchmark_gap_amount', 'potential_revenue_mean', 'potential_basis'] %}
{%- set first = [
    'first_seen_date', 'first_purchase_date', 'last_purchase_date', 'orders_count', 'purchase_days_count',
    'tenure_days', 'recency_days', 'observed_revenue_amount', 'observed_margin_amount', 'revenue_90d_amount',
    'revenue_365d_amount', 'average_order_amount', 'discount_share', 'discounted_order_share',
    'online_order_share', 'main_channel', 'favourite_category',
] %}
{%- set attributes = [
    'age_band', 'region', 'urbanity', 'income_band', 'household_size', 'acquisition_channel',
] %}
{#- The contract of the features says which others there are. #}
{%- set others = [] %}
{%- if execute %}
{%- set shown = ['customer_id', 'as_of_date', 'gender'] + first + attributes %}
{%- for name in graph.nodes['model.clientela.fct_customer_features'].columns if name not in shown %}
{%- do others.append(name) %}
{%- endfor %}
{%- endif %}
with ltv as (
    select
        customer_id,
        as_of_date,
        {% for horizon in var('horizons_days') %}
        {%- for column in predicted %}
        max(case when horizon_days = {{ horizon }} then {{ column }} end) as {{ value_at_horizon(column, horizon) }},
        {%- endfor %}
        {%- endfor %}
        max(value_rank) as value_rank,
        max(value_tier) as value_tier,
        max(alive_probability) as alive_probability,
        max(expected_next_order_date) as expected_next_order_date,
        max(expected_order_value_mean) as expected_order_value_mean,
        max(model_version_id) as model_version_id
    from {{ slices.ltv }}
    group by customer_id, as_of_date
),
potential as (
    select
        customer_id,
        as_of_date,
        {% for horizon in var('horizons_days') %}
        {%- for column in possible %}
        max(case when horizon_days = {{ horizon }} then {{ column }} end) as {{ value_at_horizon(column, horizon) }},
        {%- endfor %}
        {%- endfor %}
        max(differences) as differences_to_peers
    from {{ slices.potential }}
    group by customer_id, as_of_date
)
select
    features.customer_id,
    features.as_of_date,
    {%- if latest %}
    latest.is_promoted,
    {%- endif %}
    customers.gender,
    customers.birth_decade,
    customers.country_code,
    {%- for name in attributes %}
    features.{{ name }},
    {%- endfor %}
    lifecycle.stage,
    lifecycle.stage_rule,
    segments.microsegment_key,
    names.microsegment_name,
    segments.pattern as microsegment_pattern,
    {%- for name in first %}
    features.{{ name }},
    {%- endfor %}
    case
        when features.median_visit_distance_km < 5 then 'under 5 km'
        when features.median_visit_distance_km < 20 then '5 to 20 km'
        when features.median_visit_distance_km >= 20 then '20 km or more'
    end as visit_distance_band,
    {%- for name in others %}
    features.{{ name }},
    {%- endfor %}
    '{{ var("reporting_currency") }}' as currency_code,
    {% for horizon in var('horizons_days') %}
    {%- for column in predicted %}
    ltv.{{ value_at_horizon(column, horizon) }},
    {%- endfor %}
    {%- for column in possible %}
    potential.{{ value_at_horizon(column, horizon) }},
    {%- endfor %}
    {%- endfor %}
    potential.differences_to_peers,
    ltv.value_rank,
    ltv.value_tier,
    ltv.alive_probability,
    ltv.expected_next_order_date,
    ltv.expected_order_value_mean,
    ltv.model_version_id
from {{ ref('fct_customer_features') }} as features
{%- if latest %}
inner join {{ latest }} as latest on features.as_of_date = latest.as_of_date
{%- endif %}
inner join {{ ref('dim_customers') }} as customers on features.customer_id = customers.customer_id
left join ltv on features.customer_id = ltv.customer_id and features.as_of_date = ltv.as_of_date
left join potential
    on features.customer_id = potential.customer_id and features.as_of_date = potential.as_of_date
left join {{ slices.lifecycle }} as lifecycle
    on features.customer_id = lifecycle.customer_id and features.as_of_date = lifecycle.as_of_date
left join {{ slices.segments }} as segments
    on features.customer_id = segments.customer_id and features.as_of_date = segments.as_of_date
left join {{ source('predictions', 'microsegments') }} as names
    on segments.microsegment_key = names.microsegment_key
    and segments.as_of_date = names.as_of_date
{%- endmacro %}
