{% set predicted = [
    'predicted_revenue_mean', 'predicted_revenue_p05', 'predicted_revenue_p50', 'predicted_revenue_p95',
    'predicted_orders_mean', 'predicted_margin_mean', 'predicted_present_value_mean', 'purchase_probability',
    'interval_status',
] -%}
{% set possible = ['benchmark_gap_amount', 'potential_revenue_mean', 'potential_basis'] -%}
-- Left joins from the features, so that prospects and unpromoted dates keep their observed values.
with ltv as (
    select
        customer_id,
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
    from {{ ref('customer_ltv_current') }}
    group by customer_id
),
potential as (
    select
        customer_id,
        {% for horizon in var('horizons_days') %}
        {%- for column in possible %}
        max(case when horizon_days = {{ horizon }} then {{ column }} end) as {{ value_at_horizon(column, horizon) }},
        {%- endfor %}
        {%- endfor %}
        max(differences) as differences_to_peers
    from {{ ref('customer_potential_current') }}
    group by customer_id
)
select
    features.customer_id,
    features.as_of_date,
    latest.is_promoted,
    customers.gender,
    customers.birth_decade,
    customers.country_code,
    features.age_band,
    features.region,
    features.urbanity,
    features.income_band,
    features.household_size,
    features.acquisition_channel,
    lifecycle.stage,
    lifecycle.stage_rule,
    segments.microsegment_key,
    names.microsegment_name,
    segments.pattern as microsegment_pattern,
    features.first_seen_date,
    features.first_purchase_date,
    features.last_purchase_date,
    features.orders_count,
    features.purchase_days_count,
    features.tenure_days,
    features.recency_days,
    features.observed_revenue_amount,
    features.observed_margin_amount,
    features.revenue_90d_amount,
    features.revenue_365d_amount,
    features.average_order_amount,
    features.discount_share,
    features.discounted_order_share,
    features.online_order_share,
    features.main_channel,
    features.favourite_category,
    case
        when features.median_visit_distance_km < 5 then 'under 5 km'
        when features.median_visit_distance_km < 20 then '5 to 20 km'
        when features.median_visit_distance_km >= 20 then '20 km or more'
    end as visit_distance_band,
    features.has_email_consent,
    features.has_sms_consent,
    features.has_geo_consent,
    features.has_profiling_consent,
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
inner join {{ ref('current_as_of_date') }} as latest on features.as_of_date = latest.as_of_date
inner join {{ ref('dim_customers') }} as customers on features.customer_id = customers.customer_id
left join ltv on features.customer_id = ltv.customer_id
left join potential on features.customer_id = potential.customer_id
left join {{ ref('customer_lifecycle_current') }} as lifecycle on features.customer_id = lifecycle.customer_id
left join {{ ref('customer_microsegments_current') }} as segments on features.customer_id = segments.customer_id
left join {{ source('predictions', 'microsegments') }} as names
    on segments.microsegment_key = names.microsegment_key
    and segments.as_of_date = names.as_of_date
