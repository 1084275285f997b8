-- From all lines to the ledger, by reason; the ledger rounds an order or refund to cents, a line does not. Step 6
-- is read from the ledger, so that an event lost or counted twice on the way breaks the sum.
with lines as (
    select * from {{ ref('int_uci_online_retail_lines') }}
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
        event_id,
        min(case when is_cancellation then 'refunds, ' || line_type else 'orders' end) as kind,
        count(*) as lines_count,
        sum(line_amount) as amount,
        cast(sum(line_amount) as {{ money_type() }}) as rounded_amount
    from lines
    where refused_rule is null
    group by event_id
),
-- Whole invoices and credit lines that never reach the ledger, for reasons a line does not know.
left_out as (
    select
        coalesce(
            received.failed_rule, testers.excluded_because, case when not orders.is_counted then 'status_not_counted' end
        ) as reason,
        events.lines_count,
        events.rounded_amount
    from events
    left join {{ ref('int_received_amounts') }} as received
        on events.event_id = received.event_id and received.source_table = 'uci_online_retail_lines'
    left join {{ ref('int_orders_attributed') }} as orders on events.event_id = orders.order_id
    left join {{ ref('int_refunds_attributed') }} as refunds on events.event_id = refunds.refund_id
    left join {{ ref('int_test_customers') }} as testers
        on coalesce(orders.customer_id, refunds.customer_id) = testers.customer_id
),
ledger as (
    select events.rounded_amount, events.kind, coalesce(events.lines_count, 0) as lines_count, ledger.revenue_amount
    from {{ ref('fct_revenue_ledger') }} as ledger
    left join events on ledger.event_id = events.event_id
    where ledger.event_id like 'uci_online_retail:%'
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
    select 5, reason, sum(lines_count), {{ exact_sum('-rounded_amount') }} from left_out where reason is not null group by reason
    {%- if var('reporting_currency') != 'GBP' %}
    union all
    select 5, 'pounds in reporting currency', 0, {{ exact_sum('revenue_amount - rounded_amount') }} from ledger
    {%- endif %}
    union all
    select 6, 'ledger', coalesce(sum(lines_count), 0), {{ exact_sum('revenue_amount') }} from ledger
    union all
    select 7, 'ledger: ' || coalesce(kind, 'no line of it'), sum(lines_count), {{ exact_sum('revenue_amount') }}
    from ledger
    group by kind
    having sum(lines_count) > 0 or sum(revenue_amount) <> 0
)
select
    step,
    reason,
    lines_count,
    amount,
    cast(sum(case when step in (1, 2, 4, 5) then amount else 0 end) over () as decimal(18, 4)) as total_amount
from steps
where exists (select 1 from lines)
