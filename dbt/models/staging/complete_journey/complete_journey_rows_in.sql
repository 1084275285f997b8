{% for table, shape in [
    ('demographics', 'customer_records'), ('transactions', 'order_items'), ('products', 'products'),
    ('campaign_descriptions', 'actions'), ('campaigns', 'action_exposures'),
] %}
{{ rows_in_from_raw('complete_journey_' ~ table, shape) }}
union all
{% endfor %}
{{ rows_in_by('complete_journey_transactions', 'orders', 'basket_id') }}
union all
select 'complete_journey_transactions', 'customer_records', count(*)
from (
    select household_id from {{ source('raw', 'complete_journey_transactions') }}
    except
    select household_id from {{ source('raw', 'complete_journey_demographics') }}
) as shoppers
