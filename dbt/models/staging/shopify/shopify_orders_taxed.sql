-- Money of an order without tax, from which orders, lines and refunds are mapped alike. Where prices include
-- tax (taxes_included) the goods' part of total_tax is taken out: total_tax x subtotal / total, exact while
-- goods and shipping bear one rate, because the order does not split its tax. Discounts are what lies between
-- the lines and subtotal_price: total_discounts holds those on shipping too, and is taken without a subtotal.
with amounts as (
    select
        _row_number,
        {{ clean_text('id') }} as order_id,
        coalesce({{ cast_text('taxes_included', 'boolean') }}, false) as is_tax_included,
        {{ cast_text('total_line_items_price', 'money') }} as line_items_amount,
        coalesce({{ cast_text('total_discounts', 'money') }}, 0) as discount_amount,
        {{ cast_text('subtotal_price', 'money') }} as subtotal_amount,
        {{ cast_text('total_price', 'money') }} as total_amount,
        coalesce({{ cast_text('total_tax', 'money') }}, 0) as tax_amount
    from {{ source('raw', 'shopify_order') }}
),
gift_cards as (
    select
        {{ clean_text('order_id') }} as order_id,
        sum({{ shopify_line_amount() }}) as gift_card_amount
    from {{ latest_rows(source('raw', 'shopify_order_line'), ['order_id', 'id']) }} as lines
    where {{ cast_text('gift_card', 'boolean') }}
    group by {{ clean_text('order_id') }}
),
goods as (
    select
        amounts.*,
        coalesce(gift_cards.gift_card_amount, 0) as gift_card_amount,
        case
            when not amounts.is_tax_included then 0
            when amounts.total_amount > 0 then {{ try_cast(
                'cast(amounts.tax_amount as double) * cast(amounts.subtotal_amount as double)
                / cast(amounts.total_amount as double)', money_type()) }}
            else amounts.tax_amount
        end as goods_tax_amount
    from amounts
    left join gift_cards on amounts.order_id = gift_cards.order_id
)
select
    _row_number,
    order_id,
    is_tax_included,
    line_items_amount - gift_card_amount - coalesce(goods_tax_amount, 0) as gross_amount,
    case
        when subtotal_amount <= line_items_amount then line_items_amount - subtotal_amount
        else discount_amount
    end as discount_amount,
    tax_amount,
    {{ at_least_zero('total_amount - subtotal_amount - case when is_tax_included then tax_amount - goods_tax_amount else tax_amount end') }}
        as shipping_amount
from goods
