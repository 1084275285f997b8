-- One marked record is enough: the whole person counts nowhere.
with marked as (
    select source_system, source_record_id, 'test_customer' as excluded_because
    from {{ ref('customer_records') }}
    where is_test
    union all
    select source_system, source_record_id, 'internal_customer'
    from {{ ref('customer_records') }}
    where {{ is_internal_email('email') }}
    union all
    select source_system, source_record_id, 'internal_customer'
    from {{ ref('identifiers') }}
    where lower(identifier_type) = 'email' and ({{ is_internal_email('identifier_value') }})
    union all
    select source_system, coalesce(source_record_id, 'order:' || order_id), 'internal_customer'
    from {{ ref('orders') }}
    where {{ is_internal_email('email') }}
    union all
    select source_system, source_record_id, 'internal_customer'
    from {{ source('identity', 'customers_map') }}
    where lower(source_system || ':' || source_record_id) in ({{ quoted_list(var('internal_records') or ['']) }})
)
select customers.customer_id, max(marked.excluded_because) as excluded_because
from marked
inner join {{ source('identity', 'customers_map') }} as customers
    on marked.source_system = customers.source_system
    and marked.source_record_id = customers.source_record_id
group by customers.customer_id
