{{ accepted_rows('orders', ref('orders_checked')) }}
