-- A customer is known by number and by the country of the last line, from the first line on.
select
    {{ shape_row('customer_records', {
        'source_system': "'uci_online_retail'",
        'source_record_id': 'lines.source_record_id',
        'country_code': latest_known('countries.country_code', 'lines._row_number'),
        'created_at': 'min(lines.invoiced_at_text)',
    }, 'uci_online_retail_lines', 'min(lines._row_number)') }}
from {{ ref('uci_online_retail_lines') }} as lines
left join {{ ref('country_codes') }} as countries on lines.country_name = countries.country_name
where lines.source_record_id is not null
group by lines.source_record_id
