{{ accepted_rows('erasure_requests', ref('erasure_requests_checked')) }}
