{{ accepted_rows('consents', ref('consents_checked')) }}
