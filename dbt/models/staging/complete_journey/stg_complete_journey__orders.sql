-- A basket is an order. The manufacturer pays its own coupons (coupon_disc), so they lower no revenue.
with lines as (
    select
        min(_row_number) as _row_number,
        basket_id,
        household_id,
        store_id,
        transaction_timestamp,
        product_id,
        {{ try_cast('sales_value', 'decimal(18, 4)') }} as sales_value,
        coalesce({{ try_cast('retail_disc', 'decimal(18, 4)') }}, 0)
            + coalesce({{ try_cast('coupon_match_disc', 'decimal(18, 4)') }}, 0) as discount
    from {{ source('raw', 'complete_journey_transactions') }}
    group by
        basket_id, household_id, store_id, transaction_timestamp, product_id, sales_value, retail_disc,
        coupon_match_disc
)
select
    {{ shape_row('orders', {
        'source_system': "'complete_journey'",
        'order_id': 'basket_id',
        'source_record_id': 'min(household_id)',
        'ordered_at': 'min(transaction_timestamp)',
        'gross_amount': 'sum(sales_value + discount)',
        'discount_amount': 'sum(discount)',
        'status': "'completed'",
        'channel': "'store'",
        'store_id': 'min(store_id)',
    }, 'complete_journey_transactions', 'min(_row_number)') }}
from lines
group by basket_id
