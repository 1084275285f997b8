-- Named as on the latest line that sold it: lines at price zero hold remarks such as "damaged".
select
    {{ shape_row('products', {
        'product_id': 'product_id',
        'product_name': latest_known('case when line_amount > 0 then description end', '_row_number'),
    }, 'uci_online_retail_lines', 'min(_row_number)') }}
from {{ ref('uci_online_retail_lines') }}
where line_type = 'goods'
group by product_id
