-- From all lines to the ledger, by reason; the ledger rounds an order or refund to cents, a line does not.
with lines as (
    select
        *,
        case when is_cancellation then invoice_number || ':' || line_number else invoice_number end as ledger_event
    from {{ ref('uci_online_retail_lines') }}
),
refused as (
    select
        case when refused_rule = 'duplicate' then 2 else 4 end as step,
        case when refused_rule = 'duplicate' then refused_rule else refused_rule || ', ' || line_type end as reason,
        count(*) as lines_count,
        {{ exact_sum('-line_amount') }} as amount
    from lines
    where refused_rule is not null
    group by 1, 2
),
events as (
    select
        ledger_event,
        min(case when is_cancellation then 'refunds, ' || line_type else 'orders' end) as kind,
        count(*) as lines_count,
        sum(line_amount) as amount,
        cast(sum(line_amount) as {{ money_type() }}) as rounded_amount
    from lines
    where refused_rule is null
    group by ledger_event
),
steps as (
    select 1 as step, 'all lines' as reason, count(*) as lines_count, {{ exact_sum('line_amount') }} as amount from lines
    union all
    select step, reason, lines_count, amount from refused
    union all
    select 3, 'without exact duplicates', count(*), {{ exact_sum('line_amount') }} from lines where refused_rule is distinct from 'duplicate'
    union all
    select 5, 'rounding to cents', 0, {{ exact_sum('rounded_amount - amount') }} from events
    union all
    select 6, 'ledger', sum(lines_count), {{ exact_sum('rounded_amount') }} from events
    union all
    select 7, 'ledger: ' || kind, sum(lines_count), {{ exact_sum('rounded_amount') }} from events group by kind
)
select
    step,
    reason,
    lines_count,
    amount,
    cast(sum(case when step in (1, 2, 4, 5) then amount else 0 end) over () as decimal(18, 4)) as total_amount
from steps
