{{ accepted_rows('action_exposures', ref('action_exposures_checked')) }}
