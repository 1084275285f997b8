{{ config(materialized="table") }}

-- Every line is judged once, so that what is refused as a line is missing from its invoice as well. Of
-- several reasons the first counts: a repeated line is a duplicate whatever else it is.
with read as (
    select
        _row_number,
        trim(invoiceno) as invoice_number,
        upper(trim(stockcode)) as product_id,
        description,
        invoicedate,
        {{ country_key('country') }} as country_name,
        {{ uci_customer('customerid') }} as source_record_id,
        {{ uci_line_type('stockcode') }} as line_type,
        {{ uci_is_cancellation('invoiceno') }} as is_cancellation,
        {{ cast_text('quantity', 'number') }} as quantity,
        {{ cast_text('unitprice', 'money') }} as unit_price_amount,
        row_number() over (partition by invoiceno order by _row_number) as line_number,
        row_number() over (
            partition by invoiceno, stockcode, description, quantity, invoicedate, unitprice, customerid, country
            order by _row_number
        ) as repetition
    from {{ source('raw', 'uci_online_retail_lines') }}
),
priced as (
    select
        *,
        {{ plausible(try_cast('cast(quantity as decimal(18, 0)) * unit_price_amount', 'decimal(18, 4)'), 'money') }} as line_amount
    from read
),
ruled as (
    select
        *,
        case
            when repetition > 1 then 'duplicate'
            when source_record_id is null then 'missing_customer'
            when line_type not in ('goods', 'manual', 'discount') then 'not_goods'
            when line_amount is null then 'bad_number'
            when line_amount < 0 and not is_cancellation or line_amount > 0 and is_cancellation then 'negative_amount'
        end as refused_rule
    from priced
)
select
    _row_number,
    invoice_number,
    line_number,
    product_id,
    description,
    invoicedate as invoiced_at_text,
    source_record_id,
    country_name,
    line_type,
    is_cancellation,
    quantity,
    unit_price_amount,
    line_amount,
    refused_rule,
    case refused_rule
        when 'duplicate' then 'an earlier line is the same in every column'
        when 'missing_customer' then 'customerid is empty'
        when 'not_goods' then 'the code ' || product_id || ' is no product but: ' || line_type
        when 'bad_number' then 'quantity or unitprice cannot be read as a number'
        when 'negative_amount' then 'the sign of the quantity contradicts the kind of invoice'
    end as refused_reason
from ruled
