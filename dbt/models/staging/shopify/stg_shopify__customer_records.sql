-- The account as it is now. Not mapped: orders_count and total_spent, which the orders tell better, and
-- addresses, which are tables of their own.
select
    {{ shape_row('customer_records', {
        'source_system': "'shopify'",
        'source_record_id': 'id',
        'email': 'email',
        'phone': 'phone',
        'first_name': 'first_name',
        'last_name': 'last_name',
        'created_at': 'created_at',
        'updated_at': 'updated_at',
    }, 'shopify_customer') }}
from {{ source('raw', 'shopify_customer') }}
