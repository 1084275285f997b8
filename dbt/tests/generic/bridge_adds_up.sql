{# Fails on every source table whose steps, added up, are not what the ledger holds of it, to the cent. #}
{% test bridge_adds_up(model) %}
select
    source_table,
    sum(case when reason = 'ledger' then 0 else amount end) as bridge_amount,
    sum(case when reason = 'ledger' then amount else 0 end) as ledger_amount
from {{ model }}
group by source_table
having sum(case when reason = 'ledger' then -amount else amount end) <> 0
{% endtest %}
