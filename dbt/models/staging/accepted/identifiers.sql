{{ accepted_rows('identifiers', ref('identifiers_checked')) }}
