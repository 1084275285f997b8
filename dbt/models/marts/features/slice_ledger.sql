select customer_id, order_id, event_date, purchase_date, event_type, revenue_amount, margin_amount
from {{ ref('fct_revenue_ledger') }}
where event_date <= {{ as_of_date() }}
