{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='as_of_date',
    on_schema_change='append_new_columns',
    pre_hook="{% if is_incremental() %}delete from {{ this }} where as_of_date = {{ as_of_date() }}{% endif %}",
) }}
{#- Columns taken from a slice as they are, zero where they can be counted (the source was delivered and
    the person allows it), or only where the person allows it. #}
{%- set taken = {
    'purchases': ['purchase_log_amount_sum', 'first_purchase_log_amount', 'days_between_last_two_purchases'],
    'value': ['margin_share'],
    'orders': ['average_order_amount', 'max_order_amount', 'order_amount_variation', 'discount_share',
        'discounted_order_share', 'discount_when_discounted_share', 'coupon_order_share', 'online_order_share',
        'app_order_share', 'weekend_order_share'],
    'gaps': ['discount_gap_difference_days'],
    'categories': ['top_category_share', 'favourite_category', 'category_entropy', 'new_category_90d_share'],
    'brands': ['top_brand_share'],
    'baskets': ['average_items_count', 'average_item_amount', 'repeat_product_share', 'cheap_line_share', 'price_index'],
    'channels': ['channels_count', 'main_channel', 'main_channel_share', 'is_online_first'],
    'stores': ['stores_count', 'main_store_share'],
    'hours': ['night_order_share', 'morning_order_share', 'afternoon_order_share', 'evening_order_share',
        'typical_hour'],
    'weekdays': ['weekday_entropy'],
    'season': ['revenue_q1_share', 'revenue_q2_share', 'revenue_q3_share', 'revenue_q4_share',
        'november_december_revenue_share', 'purchase_month_concentration'],
    'persons': ['age_years', 'age_band', 'household_persons_count'],
    'customers': ['gender', 'household_size', 'income_band', 'income_index', 'region', 'urbanity',
        'acquisition_channel', 'has_email_consent', 'has_sms_consent', 'has_geo_consent', 'has_profiling_consent'],
} -%}
{%- set counted = {
    'delivered.has_items and delivered.has_products': {'categories': ['categories_count']},
    'delivered.has_items and delivered.has_brands': {'brands': ['brands_count']},
    'delivered.has_web_events and allows_profiling': {'touches': ['web_events_30d_count'],
        'web': ['web_sessions_90d_count', 'web_active_days_90d_count', 'product_views_90d_count', 'cart_adds_90d_count']},
    'delivered.has_messages': {'touches': ['messages_7d_count', 'messages_30d_count', 'messages_90d_count']},
    'delivered.has_actions': {'touches': ['actions_7d_count', 'actions_30d_count', 'actions_90d_count']},
    'delivered.has_visits and allows_location': {'places': ['visits_90d_count', 'places_count']},
} -%}
{%- set allowed = {
    'delivered.has_refunds': {'refunds': ['refunded_order_share', 'refund_recency_days'], 'value': ['refund_share']},
    'delivered.has_web_events and allows_profiling': {'web': ['web_recency_days'],
        'before_purchase': ['web_before_purchase_share']},
    'allows_profiling': {'messages': ['message_opened_share', 'message_clicked_share', 'message_opened_recency_days',
        'message_clicked_recency_days', 'has_unsubscribed']},
    'allows_location': {'places': ['median_visit_distance_km', 'max_visit_distance_km', 'near_home_visit_share']},
} %}
-- The hook is for a slice that has become empty: the strategy deletes only the dates it inserts.
-- Location needs a grant; profiling is withheld when it was refused, or where config.yml asks for a grant.
with customers as (
    select
        persons.*,
        consents.has_email_consent,
        consents.has_sms_consent,
        consents.has_geo_consent,
        consents.has_profiling_consent,
        coalesce(consents.has_geo_consent, false) as allows_location,
        coalesce(consents.has_profiling_consent, {{ not var('profiling_needs_grant') }}) as allows_profiling
    from {{ ref('dim_customers') }} as persons
    left join {{ ref('slice_consents') }} as consents on persons.customer_id = consents.customer_id
    where not persons.is_test and persons.first_seen_date <= {{ as_of_date() }}
)
select
    customers.customer_id,
    {{ as_of_date() }} as as_of_date,
    customers.first_seen_date,
    purchases.first_purchase_date,
    purchases.last_purchase_date,
    coalesce(orders.orders_count, 0) as orders_count,
    {%- for name in ['purchase_days_count', 'purchase_days_90d_count', 'purchase_days_365d_count'] %}
    coalesce(purchases.{{ name }}, 0) as {{ name }},
    {%- endfor %}
    purchases.purchase_days_count - 1 as repeat_purchase_days_count,
    {{ days_between('purchases.first_purchase_date', as_of_date()) }} as tenure_days,
    {{ days_between('purchases.first_purchase_date', 'purchases.last_purchase_date') }} as active_span_days,
    {{ days_between('purchases.last_purchase_date', as_of_date()) }} as recency_days,
    cast(purchases.median_gap_days as double) as median_gap_days,
    cast(purchases.first_purchase_amount as {{ money_type() }}) as first_purchase_amount,
    cast(purchases.repeat_purchase_amount as {{ money_type() }}) as repeat_purchase_amount,
    cast(value.observed_margin_amount as {{ money_type() }}) as observed_margin_amount,
    {%- for name in ['observed_revenue_amount', 'revenue_90d_amount', 'revenue_365d_amount', 'revenue_previous_90d_amount'] %}
    cast(coalesce(value.{{ name }}, 0) as {{ money_type() }}) as {{ name }},
    {%- endfor %}
    case when value.revenue_90d_amount >= 0 and value.revenue_previous_90d_amount >= 0 then
        {{ share_of('value.revenue_90d_amount', '(value.revenue_90d_amount + value.revenue_previous_90d_amount)') }}
    end as revenue_trend_share,
    cast(case when delivered.has_refunds then coalesce(refunds.refunds_count, 0) end as bigint) as refunds_count,
    case when delivered.has_messages or delivered.has_actions then
        {{ share_of('coalesce(touches.contacts_365d_count, 0)', 'purchases.purchase_days_365d_count') }}
    end as contacts_per_purchase_count,
    {%- for condition, parts in counted.items() %}{% for part, names in parts.items() %}{% for name in names %}
    cast(case when {{ condition }} then coalesce({{ part }}.{{ name }}, 0) end as bigint) as {{ name }},
    {%- endfor %}{% endfor %}{% endfor %}
    {%- for condition, parts in allowed.items() %}{% for part, names in parts.items() %}{% for name in names %}
    case when {{ condition }} then {{ part }}.{{ name }} end as {{ name }},
    {%- endfor %}{% endfor %}{% endfor %}
    {%- for part, names in taken.items() %}{% set is_last_part = loop.last %}{% for name in names %}
    {{ part }}.{{ name }}{{ '' if is_last_part and loop.last else ',' }}
    {%- endfor %}{% endfor %}
from customers
cross join {{ ref('int_delivered_sources') }} as delivered
{%- set slices = {
    'purchases': ref('slice_purchases'), 'value': ref('slice_value'), 'refunds': ref('slice_refunds'),
    'orders': ref('slice_orders'), 'gaps': ref('slice_discount_gaps'), 'categories': ref('slice_categories'),
    'brands': ref('slice_brands'), 'baskets': ref('slice_baskets'), 'channels': ref('slice_channels'),
    'stores': ref('slice_stores'), 'hours': ref('slice_hours'), 'weekdays': ref('slice_weekdays'),
    'season': ref('slice_season'), 'touches': ref('slice_touches'), 'web': ref('slice_web'),
    'before_purchase': ref('slice_web_before_purchase'), 'messages': ref('slice_messages'),
    'places': ref('slice_places'), 'persons': ref('slice_persons'),
} %}
{%- for part, slice in slices.items() %}
left join {{ slice }} as {{ part }} on customers.customer_id = {{ part }}.customer_id
{%- endfor %}
