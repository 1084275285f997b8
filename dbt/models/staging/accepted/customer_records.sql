{{ accepted_rows('customer_records', ref('customer_records_checked')) }}
