{{ accepted_rows('contracts', ref('contracts_checked')) }}
