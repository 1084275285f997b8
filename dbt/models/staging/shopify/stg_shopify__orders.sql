-- Amounts come from the order itself (shopify_orders_taxed): gross is total_line_items_price without gift
-- cards and tax, discounts what subtotal_price takes off, shipping is what remains of total_price. An order with
-- refunds stays paid, since refunds come as their own rows; one that is cancelled, voided, a test or not
-- yet paid has a status that does not count. Not mapped: tips, duties, addresses, payments.
with codes as (
    select order_id, min(code) as code
    from {{ source('raw', 'shopify_order_discount_code') }}
    group by order_id
)
select
    {{ shape_row('orders', {
        'source_system': "'shopify'",
        'order_id': 'orders.id',
        'source_record_id': 'orders.customer_id',
        'email': 'orders.email',
        'phone': 'coalesce(orders.billing_address_phone, orders.shipping_address_phone)',
        'ordered_at': 'coalesce(orders.processed_at, orders.created_at)',
        'gross_amount': 'taxed.gross_amount',
        'discount_amount': 'taxed.discount_amount',
        'tax_amount': 'taxed.tax_amount',
        'shipping_amount': 'taxed.shipping_amount',
        'currency_code': 'orders.currency',
        'status': "case
            when " ~ cast_text('orders.test', 'boolean') ~ " then 'test'
            when " ~ clean_text('orders.cancelled_at') ~ " is not null then 'cancelled'
            when lower(trim(orders.financial_status)) in ('paid', 'partially_refunded', 'refunded') then 'paid'
            else coalesce(lower(" ~ clean_text('orders.financial_status') ~ "), 'pending')
        end",
        'channel': "case when lower(orders.source_name) = 'pos' then 'store' else orders.source_name end",
        'store_id': 'orders.location_id',
        'coupon_code': 'codes.code',
    }, 'shopify_order', 'orders._row_number') }}
from {{ source('raw', 'shopify_order') }} as orders
left join {{ ref('shopify_orders_taxed') }} as taxed on orders._row_number = taxed._row_number
left join codes on orders.id = codes.order_id
