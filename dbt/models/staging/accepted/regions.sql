{{ accepted_rows('regions', ref('regions_checked')) }}
