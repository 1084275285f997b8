-- A household without demographics is known only by its baskets: one record from its first line.
with demographics as (
    select
        {{ shape_row('customer_records', {
            'source_system': "'complete_journey'",
            'source_record_id': 'household_id',
            'income_band': 'income',
            'household_size': 'household_size',
        }, 'complete_journey_demographics') }}
    from {{ source('raw', 'complete_journey_demographics') }}
),
shoppers as (
    select
        {{ shape_row('customer_records', {
            'source_system': "'complete_journey'",
            'source_record_id': 'household_id',
        }, 'complete_journey_transactions', 'min(_row_number)') }}
    from {{ source('raw', 'complete_journey_transactions') }}
    where not exists (
        select 1 from {{ source('raw', 'complete_journey_demographics') }} as known
        where known.household_id = complete_journey_transactions.household_id
    )
    group by household_id
)
select * from demographics
union all
select * from shoppers
