-- A customer is known by number alone, from the first line on.
select
    {{ shape_row('customer_records', {
        'source_system': "'uci_online_retail'",
        'source_record_id': 'source_record_id',
        'created_at': 'min(invoiced_at_text)',
    }, 'uci_online_retail_lines', 'min(_row_number)') }}
from {{ ref('uci_online_retail_lines') }}
where source_record_id is not null
group by source_record_id
