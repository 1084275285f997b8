{{ accepted_rows('visits', ref('visits_checked')) }}
