{{ accepted_rows('identity_overrides', ref('identity_overrides_checked')) }}
