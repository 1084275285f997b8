{{ accepted_rows('refunds', ref('refunds_checked')) }}
