-- Lines carry no price, so each is worth the product's present price times its units. Two order numbers
-- (SO62019 and SO72019) stand for the orders of two customers each: number and customer make the order. The
-- order's date is a day stored as midnight, which as an instant would be the day before in America.
with products as (
    select
        {{ clean_text('productkey') }} as product_key,
        min({{ cast_text('productprice', 'money') }}) as price_amount,
        min({{ cast_text('productcost', 'money') }}) as cost_amount
    from {{ source('raw', 'adventureworks_products') }}
    group by {{ clean_text('productkey') }}
)
select
    sales._row_number,
    trim(sales.ordernumber) || ':' || trim(sales.customerkey) as order_id,
    {{ clean_text('sales.orderlineitem') }} as line_number,
    {{ clean_text('sales.customerkey') }} as source_record_id,
    'AW-' || {{ clean_text('sales.productkey') }} as product_id,
    substr(trim(sales.orderdate), 1, 10) as ordered_at_text,
    {{ clean_text('sales.territorykey') }} as store_id,
    {{ clean_text('sales.orderquantity') }} as quantity,
    {{ plausible(try_cast('cast(' ~ cast_text('sales.orderquantity', 'number') ~ ' as decimal(18, 3)) * products.price_amount', 'decimal(18, 4)'), 'money') }} as line_amount,
    products.cost_amount
from {{ source('raw', 'adventureworks_sales') }} as sales
left join products on {{ clean_text('sales.productkey') }} = products.product_key
