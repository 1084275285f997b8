{# What a stock code of UCI Online Retail stands for. Goods are five digits with up to a few letters,
   the party bags and bags of dotcomgiftshop (DCGS...) and PADS; `m` is a mistyped `M`. #}
{% macro uci_line_type(stock_code) -%}
    case
        when upper(trim({{ stock_code }})) in ('POST', 'DOT', 'C2') then 'postage'
        when upper(trim({{ stock_code }})) = 'M' then 'manual'
        when upper(trim({{ stock_code }})) = 'D' then 'discount'
        when upper(trim({{ stock_code }})) = 'S' then 'sample'
        when upper(trim({{ stock_code }})) in ('BANK CHARGES', 'AMAZONFEE', 'CRUK') then 'fee'
        when upper(trim({{ stock_code }})) = 'B' then 'bad_debt'
        when upper({{ stock_code }}) like 'GIFT%' then 'gift_voucher'
        else 'goods'
    end
{%- endmacro %}

{# 17850.0 and 17850 are one customer; a floating number and its text must not be two. #}
{% macro uci_customer(customer) -%} {{ clean_text("regexp_replace(trim(" ~ customer ~ "), '[.]0+$', '')") }} {%- endmacro %}

{% macro uci_is_cancellation(invoice) -%} coalesce(upper(trim({{ invoice }})) like 'C%', false) {%- endmacro %}
