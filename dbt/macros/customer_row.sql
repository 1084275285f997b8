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
{%- set other_features = [
    'repeat_purchase_days_count', 'purchase_days_90d_count', 'purchase_days_365d_count', 'active_span_days',
    'median_gap_days', 'days_between_last_two_purchases', 'first_purchase_amount', 'repeat_purchase_amount',
    'purchase_log_amount_sum', 'first_purchase_log_amount', 'margin_share', 'revenue_previous_90d_amount',
    'revenue_trend_share', 'max_order_amount', 'order_amount_variation', 'refund_share', 'refunds_count',
    'refunded_order_share', 'refund_recency_days', 'discount_when_discounted_share',
    'discount_gap_difference_days', 'coupon_order_share', 'price_index', 'cheap_line_share',
    'categories_count', 'top_category_share', 'category_entropy', 'new_category_90d_share', 'brands_count',
    'top_brand_share', 'repeat_product_share', 'average_items_count', 'average_item_amount',
    'app_order_share', 'is_online_first', 'channels_count', 'main_channel_share', 'stores_count',
    'main_store_share', 'weekend_order_share', 'weekday_entropy', 'night_order_share', 'morning_order_share',
    'afternoon_order_share', 'evening_order_share', 'typical_hour', 'revenue_q1_share', 'revenue_q2_share',
    'revenue_q3_share', 'revenue_q4_share', 'november_december_revenue_share', 'purchase_month_concentration',
    'web_events_30d_count', 'web_sessions_90d_count', 'web_active_days_90d_count', 'product_views_90d_count',
    'cart_adds_90d_count', 'web_recency_days', 'web_before_purchase_share', 'message_opened_share',
    'message_clicked_share', 'message_opened_recency_days', 'message_clicked_recency_days',
    'has_unsubscribed', 'messages_7d_count', 'messages_30d_count', 'messages_90d_count', 'actions_7d_count',
    'actions_30d_count', 'actions_90d_count', 'contacts_per_purchase_count', 'visits_90d_count',
    'places_count', 'median_visit_distance_km', 'max_visit_distance_km', 'near_home_visit_share', 'age_years',
    'household_persons_count', 'income_index',
] %}
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
    {%- for name in other_features %}
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
