-- Dates are month/day/year, some with leading zeros: the days above 12 show which is which. Income stays
-- text, as a band. Not mapped: marital status, children, education, occupation, home ownership.
select
    {{ shape_row('customer_records', {
        'source_system': "'adventureworks'",
        'source_record_id': 'customerkey',
        'email': 'emailaddress',
        'first_name': 'firstname',
        'last_name': 'lastname',
        'birth_date': month_day_year('birthdate'),
        'gender': 'gender',
        'income_band': 'trim(annualincome)',
    }, 'adventureworks_customers') }}
from {{ source('raw', 'adventureworks_customers') }}
