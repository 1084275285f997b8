-- Goods that went back are the lines of a refund, without tax. What else was paid back is an adjustment: a
-- discrepancy is revenue given up, shipping is not. An adjustment in favour of the shop is negative as a
-- refund and is set aside. Not mapped: transactions, which hold the same money with tax and shipping.
with refunds as (
    select id, min(order_id) as order_id, min(coalesce(processed_at, created_at)) as refunded_at
    from {{ source('raw', 'shopify_refund') }}
    group by id
),
orders as (
    select order_id, is_tax_included
    from {{ latest_rows(ref('shopify_orders_taxed'), ['order_id']) }} as latest
),
gift_cards as (
    select distinct id from {{ source('raw', 'shopify_order_line') }} where {{ cast_text('gift_card', 'boolean') }}
)
select
    {{ shape_row('refunds', {
        'source_system': "'shopify'",
        'refund_id': 'lines.id',
        'order_id': 'refunds.order_id',
        'refunded_at': 'refunds.refunded_at',
        'refund_amount': cast_text('lines.subtotal', 'money') ~ ' - case when orders.is_tax_included then coalesce('
            ~ cast_text('lines.total_tax', 'money') ~ ', 0) else 0 end',
    }, 'shopify_order_line_refund', 'lines._row_number') }},
    {{ refusal("case when gift_cards.id is not null then 'not_goods' end", "case when gift_cards.id is not null then 'refunds a gift card, which was no revenue' end") }}
from {{ source('raw', 'shopify_order_line_refund') }} as lines
left join refunds on lines.refund_id = refunds.id
left join orders on refunds.order_id = orders.order_id
left join gift_cards on lines.order_line_id = gift_cards.id
union all
select
    {{ shape_row('refunds', {
        'source_system': "'shopify'",
        'refund_id': "'adjustment:' || adjustments.id",
        'order_id': 'adjustments.order_id',
        'refunded_at': 'refunds.refunded_at',
        'refund_amount': '-' ~ cast_text('adjustments.amount', 'money'),
    }, 'shopify_order_adjustment', 'adjustments._row_number') }},
    {{ refusal("case when adjustments.kind = 'shipping_refund' then 'not_goods' end", "case when adjustments.kind = 'shipping_refund' then 'refunds shipping, which is no revenue' end") }}
from {{ source('raw', 'shopify_order_adjustment') }} as adjustments
left join refunds on adjustments.refund_id = refunds.id
