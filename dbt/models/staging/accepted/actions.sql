{{ accepted_rows('actions', ref('actions_checked')) }}
