{{ accepted_rows('exchange_rates', ref('exchange_rates_checked')) }}
